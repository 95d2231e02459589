"""A client seen from outside: its memory, descriptors, credentials, permissions."""
