"""How Sphinx builds these pages: ``scripts/docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from netlink_emu import __version__

project = "netlink-emu"
author = "the netlink-emu authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
exclude_patterns = ["_build", "examples"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
# The protocol package is a link here; its names are longer than what they add.
add_module_names = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"netlink-emu {release}"
html_theme_options = {"navigation_with_keys": False}
html_static_path = []
