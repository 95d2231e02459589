"""Unmodified AF_NETLINK clients in an emulated kernel, by seccomp user notification.

From the bottom: ``libc`` and ``abi`` speak to the host's kernel; ``filter/`` says which system
calls stop, and how they reach us; ``client/`` is a client seen from outside, its memory and its
descriptors; ``syscalls/`` answers each call, and keeps those that wait; ``sockets`` and ``mirror``
hold what a client's descriptors stand for; ``recording/`` makes the calls on the host's own
sockets instead; ``live/`` watches the ends of clients. ``launch`` starts a client under the
filter, ``loop`` and ``supervisor`` are the loop around the calls, and ``foreground`` is a command.
"""
