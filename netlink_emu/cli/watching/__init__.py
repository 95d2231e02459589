"""The terminal view of a kernel that runs elsewhere: ``netlink-emu watch``.

``asking`` talks to the kernel, in threads of its own. ``view`` is the state and what keys do to
it, ``compose`` makes the lines of the screen of both; neither knows the terminal, which is
``screen``'s alone.
"""
