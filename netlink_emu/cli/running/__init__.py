"""What commands share that run a kernel, and often a client in it."""
