"""Backends, which answer the socket calls of clients: the interface and its implementations."""
