"""Tasks for any number that a client asks for: ``--tasks any``.

For clients that insist on tasks nobody set up. Every number is a process of one thread, there
since the machine was made; it uses a share of its CPU that its number determines, so that
figures grow and never shrink.
"""

from __future__ import annotations

from typing import Final

from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import (
    Task,
    TaskState,
)


class AnyTasks:
    """A TaskSource that knows every number from 1 to pid_max - 1."""

    def __init__(self, machine: Machine) -> None:
        self._machine: Final = machine
        self._start_ns: Final = machine.clock.monotonic_ns()

    def occupies(self, nr: int) -> bool:
        """None is taken: a task that was made stands before what is answered for any number."""
        return False

    def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
        """See TaskSource; every number is there in every view, too."""
        machine = self._machine
        if not 0 < nr < machine.tasks.pid_max:
            return None
        cpus = machine.cpus.online
        task = Task(
            pid=nr,
            comm=b"any/%d" % nr,
            cpu=cpus[nr % len(cpus)],
            cred=machine.tasks.init_task.cred,
            net=machine.init_net,
            numbers=((machine.init_pid_ns, nr),),
            pid_ns=machine.init_pid_ns,
            start_time_ns=self._start_ns,
            real_parent=machine.tasks.init_task,
            realtime_ns=machine.clock.realtime_ns,
        )
        task.flags = 0
        task.state = TaskState.RUNNING
        elapsed = machine.clock.monotonic_ns() - self._start_ns
        percent = 1 + nr % 16
        user_ns = elapsed * percent // 100
        task.charge(utime=user_ns / NSEC_PER_SEC, stime=user_ns / 4 / NSEC_PER_SEC)
        # One wait for the CPU, and one switch against its will, each tenth of a second.
        task.run_count = task.nivcsw = 1 + elapsed * 10 // NSEC_PER_SEC
        task.io.rchar = task.io.read_bytes = elapsed * percent // NSEC_PER_SEC * 4096
        return task
