"""Datagrams for people: decoded, described, rendered, and written to captures."""
