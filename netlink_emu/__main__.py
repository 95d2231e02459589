"""``python -m netlink_emu`` is ``netlink-emu``."""

from __future__ import annotations

from netlink_emu.cli.start import main

if __name__ == "__main__":
    main()
