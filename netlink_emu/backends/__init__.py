"""What answers the socket calls of clients: the interface, and what stands behind it."""
