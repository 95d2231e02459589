"""A session as one HTML file: what client and kernel said, as a picture.

The page stands in ``page.html``, ``page.css`` and the ``*.js`` files here, and is put together as
it is: no build, no library, no network.
"""

from __future__ import annotations

from netlink_emu.page.writer import PageWriter, write_page

__all__ = ["PageWriter", "write_page"]
