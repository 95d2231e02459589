"""Write a session as one HTML file, which shows what client and kernel said to each other.

The page consists of ``page.html``, ``page.css`` and the ``*.js`` files here, without a build step,
a library or the network.
"""

from __future__ import annotations

from netlink_emu.page.writer import PageWriter, write_page

__all__ = ["PageWriter", "write_page"]
