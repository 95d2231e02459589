"""Unmodified AF_NETLINK clients in an emulated kernel, by seccomp user notification.

The package's map, from the bottom: ``libc``, ``abi`` and ``seccomp`` speak to the host's kernel;
``bpf_filter`` says which system calls stop; ``memory``, ``pidfd`` and ``fds`` reach into a client;
``launch`` starts one under the filter; ``sockets`` holds what its descriptors stand for;
``syscalls`` answers each call; ``blocking`` keeps the receives that wait; ``supervisor`` is the
loop around them.
"""
