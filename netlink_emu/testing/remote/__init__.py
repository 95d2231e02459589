"""Kernels elsewhere: NETLINK_EMU and other families, called over netlink."""
