"""Wire formats: bytes and construct, nothing else.

This package is at the top of the repository and is installed as ``netlink_emu.protocol``.
Its imports are relative, so a second copy cannot be loaded by another name.
"""

if __name__ != "netlink_emu.protocol":
    raise ImportError("these modules are netlink_emu.protocol; import that instead", name=__name__)
