"""Formats of our own: the handshake of a channel, the relay, and NETLINK_EMU."""
