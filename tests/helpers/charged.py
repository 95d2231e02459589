"""Runs a command in an emulated kernel whose task 2000 has all its accounting charged.

    python charged.py RELEASE[/ARCH] UID COMMAND...

The command acts as user UID in that kernel, whoever it is here.
The clock stands still, so that every figure is known: EXPECTED, for the members of any version.
"""

from __future__ import annotations

from dataclasses import replace

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.accounting import DELAYS, Mm
from netlink_emu.machine.clock import NSEC_PER_SEC, VirtualClock
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine

PID, PARENT = 2000, 1999
REALTIME = 1_800_000_000
AGE = 4321  # seconds
NAMES = ("cpu", *DELAYS)

EXPECTED: dict[str, int | str] = {
    "ac_exitcode": 0,
    "ac_flag": 0x01,  # AFORK
    "ac_nice": 0xFB,  # -5
    "cpu_count": 4,
    "cpu_run_real_total": 3_750_000_000,
    "cpu_run_virtual_total": 3_750_000_000,
    "ac_comm": "charged",
    "ac_sched": 2,
    "ac_uid": 1001,
    "ac_gid": 1002,
    "ac_pid": PID,
    "ac_ppid": PARENT,
    "ac_btime": REALTIME - AGE,
    "ac_etime": AGE * 1_000_000,
    "ac_utime": 2_500_000,
    "ac_stime": 1_250_000,
    "ac_minflt": 71,
    "ac_majflt": 72,
    "coremem": 20_000_000,  # 20 MB for a second, in MB-usec
    "virtmem": 40_000_000,
    "hiwater_rss": 20 * 1024,
    "hiwater_vm": 40 * 1024,
    "read_char": 1024,
    "write_char": 2048,
    "read_syscalls": 3072,
    "write_syscalls": 4096,
    "read_bytes": 5120,
    "write_bytes": 6144,
    "cancelled_write_bytes": 7168,
    "nvcsw": 81,
    "nivcsw": 82,
    "ac_utimescaled": 2_500_000,
    "ac_stimescaled": 1_250_000,
    "cpu_scaled_run_real_total": 3_750_000_000,
    "ac_btime64": REALTIME - AGE,
    "ac_tgid": PID,
    "ac_tgetime": AGE * 1_000_000,
    "ac_exe_dev": 91,
    "ac_exe_inode": 92,
}
# The n-th kind of delay: waits of n, 10 n and 3 n milliseconds.
for number, kind in enumerate(NAMES, 1):
    EXPECTED |= {
        f"{kind}_count": EXPECTED.get(f"{kind}_count", 3),
        f"{kind}_delay_total": 14_000_000 * number,
        f"{kind}_delay_max": 10_000_000 * number,
        f"{kind}_delay_min": 1_000_000 * number,
        f"{kind}_delay_max_ts": f"{REALTIME - AGE}.000000000",
    }


def charged_kernel(release: str, *, newest_so: int = 0) -> BootedKernel:
    """A kernel of RELEASE or RELEASE/ARCH whose delay accounting is on, with the task.

    It knows options of SOL_SOCKET up to ``newest_so``, should its release not.
    """
    release, _, arch = release.partition("/")
    clock = VirtualClock(realtime_ns=(REALTIME - AGE) * NSEC_PER_SEC)
    machine = Machine(cpus=4, clock=clock)
    config = KernelConfig(task_delayacct=True)
    profile = profile_for(release, arch=arch or "x86_64", config=config)
    profile = replace(profile, newest_so=max(profile.newest_so, newest_so))
    kernel = boot(machine, profile)
    parent = machine.tasks.fork(pid=PARENT)
    cred = Cred.for_ids(machine.init_user_ns, 1001, 1002)
    task = machine.tasks.fork(parent, pid=PID, comm=b"charged", cpu=3, cred=cred)
    task.nice, task.policy = -5, 2
    task.min_flt, task.maj_flt, task.nvcsw, task.nivcsw = 71, 72, 81, 82
    io = task.io
    io.rchar, io.wchar, io.syscr, io.syscw = 1024, 2048, 3072, 4096
    io.read_bytes, io.write_bytes, io.cancelled_write_bytes = 5120, 6144, 7168
    task.mm = Mm(hiwater_rss_kb=20 * 1024, hiwater_vm_kb=40 * 1024, exe_dev=91, exe_inode=92)
    task.charge(utime=2.5, stime=1.25)
    # System time alone, which every era sums over.
    task.integrate_memory(20 * 1024, 40 * 1024, utime=0.0, stime=1.0)
    for n, name in enumerate(NAMES, 1):
        for milliseconds in (n, 10 * n, 3 * n):
            task.charge(**{f"{name}_delay": milliseconds / 1000})
    clock.advance(AGE)
    return kernel
