"""Cases on a real kernel: a driver process, the tasks that it forks, and their system calls."""
