"""Where the console script begins: what comes before the command line itself is imported."""

from __future__ import annotations

import signal


def main() -> None:
    """Entry point of the console script; ends by SystemExit.

    Ctrl-C ends it by SIGINT until everything is imported: there is nobody yet who would say
    anything but a traceback.
    """
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:  # a shell's background job ignores it, which stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from netlink_emu.cli.main import main as go_on

    if interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    go_on()
