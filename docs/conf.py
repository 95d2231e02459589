"""How Sphinx builds these pages: ``scripts/docs``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))

from manual.outputs import with_outputs

from netlink_emu import __version__

project = "netlink-emu"
author = "the netlink-emu authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3
smartquotes = False
# A command over several lines is no error.
suppress_warnings = ["misc.highlighting_failure"]
exclude_patterns = ["_build", "examples", "package.md"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
# The protocol package is a link here; its names are longer than what they add.
add_module_names = False
python_maximum_signature_line_length = 88

# What is copied of a session are its commands, without what they print.
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"netlink-emu {release}"
html_theme_options = {"navigation_with_keys": False}
html_static_path = []
html_search_scorer = str(Path(__file__).parent / "search-scorer.js")

# These are handed out, and never made by who reads the page.
_HANDED_OUT = (
    "netlink_emu.testing.process.",
    "netlink_emu.testing.inprocess.",
    "netlink_emu.testing.tasks.",
    "netlink_emu.testing.machine.",
    "netlink_emu.testing.aio.",
    "netlink_emu.testing.usage.",
    "netlink_emu.journal.journal.",
    "netlink_emu.journal.found.",
    "netlink_emu.journal.entries.MessageKind",
    "netlink_emu.faults.faults.",
    "netlink_emu.faults.rules.",
)


def _signature(
    _app: Sphinx,
    what: str,
    name: str,
    _obj: object,
    _options: object,
    signature: str,
    returns: str,
) -> tuple[str, str] | None:
    if what == "class" and name.startswith(_HANDED_OUT):
        return "", ""
    if signature and "<factory>" in signature:
        return re.sub(r"~[\w.]*\.", "", signature).replace(" = <factory>", ""), returns
    return None


def _real_outputs(_app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = with_outputs(f"{docname}.md", source[0])


def _plain(function: Any = None, **_options: Any) -> Any:
    return function if function is not None else lambda decorated: decorated


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("source-read", _real_outputs)
    # A fixture is documented as the function that it is.
    pytest.fixture = _plain
    import netlink_emu.testing.plugin  # noqa: F401 # for what importing it does
