"""The monitor's lines."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A process that ended."""

    pid: int
    comm: str
    how: str


def parse(line):
    """``4242 postgres exit 3``; None says that some were lost."""
    if line == "some were lost":
        return None
    pid, comm, how = line.split(" ", 2)
    return Ended(int(pid), comm, how)
