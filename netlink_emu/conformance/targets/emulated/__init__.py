"""Cases on an emulated kernel: its sockets, and a machine with tasks that live in virtual time."""
