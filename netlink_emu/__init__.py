"""A kernel's netlink, in user space, for people who write netlink clients."""

__version__ = "0.1.0"
