"""The ends of clients as exit events, by ptrace."""
