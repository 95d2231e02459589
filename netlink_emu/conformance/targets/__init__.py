"""Where a case is carried out: on the emulator, a real kernel, or a server."""
