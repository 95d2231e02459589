"""Which system calls of a client stop, and how they reach us: seccomp, BPF, ABIs."""
