"""The kernel's YAML descriptions of netlink families, read into declarations.

:func:`read_spec` turns the text of such a file into a :class:`Spec`. It knows the schemas
genetlink, genetlink-c, genetlink-legacy and netlink-raw (Documentation/netlink in the kernel).
"""

from netlink_emu.specs.spec import Spec, read_spec, read_spec_file

__all__ = ["Spec", "read_spec", "read_spec_file"]
