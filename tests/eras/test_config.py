"""What the builder and the administrator of a kernel chose, on both sides of each era."""

from __future__ import annotations

from typing import Any

import pytest

from netlink_emu.eras.bench import Bench
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.kernel.releases import profile_for, releases
from netlink_emu.machine.accounting import Mm
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.genetlink import CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NLM_F_ACK, SOL_SOCKET

SO_SNDBUF, SO_RCVBUF, SO_RCVTIMEO = 7, 8, 20


def bench(release: str, *, cpus: int = 2, **config: Any) -> Bench:
    return Bench(profile_for(release, config=KernelConfig(**config)), cpus=cpus)


@pytest.mark.parametrize("release", releases())
def test_without_config_taskstats_there_is_no_family(release: str) -> None:
    machine = bench(release, taskstats=False)
    client = machine.client()
    name = [(CtrlAttr.CTRL_ATTR_FAMILY_NAME, "TASKSTATS")]
    assert client.outcome(machine.ctrl(CtrlCmd.CTRL_CMD_GETFAMILY, name)) == "ENOENT"
    assert client.outcome(machine.get()) == "ENOENT"
    machine.machine.tasks.do_exit(machine.worker, 0)  # and nothing minds


def delays(machine: Bench) -> list[str]:
    machine.worker.charge(utime=1.0, cpu_delay=0.020, blkio_delay=0.030)
    names = ("cpu_count", "cpu_delay_total", "cpu_run_real_total", "blkio_count")
    return [field.partition("=")[2] for field in machine.fields(machine.client().stats(), *names)]


ALL = ["2", "20000000", "1000000000", "1"]
CPU_ONLY = ["2", "20000000", "1000000000", "0"]
NONE = ["0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("release", "config", "seen"),
    [
        # kernel/delayacct.c: all or nothing up to 5.13, then cpu_* whatever the switch says
        ("5.13", {}, ALL),
        ("5.13", {"task_delayacct": True}, ALL),
        ("5.13", {"task_delayacct": False}, NONE),
        ("5.14", {}, CPU_ONLY),
        ("5.14", {"task_delayacct": True}, ALL),
        ("5.14", {"task_delayacct": False}, CPU_ONLY),
        # CONFIG_TASK_DELAY_ACCT=n: include/linux/delayacct.h's empty functions
        ("2.6.35", {"task_delay_acct": False}, NONE),
        ("6.18", {"task_delay_acct": False}, NONE),
    ],
)
def test_delay_accounting(release: str, config: dict[str, bool], seen: list[str]) -> None:
    assert delays(bench(release, **config)) == seen


def test_a_task_forked_while_accounting_was_off_stays_without() -> None:
    machine = bench("6.18")
    machine.kernel.sysctl_task_delayacct(on=True)
    assert delays(machine) == CPU_ONLY
    later = machine.spawn(pid=2100)
    later.charge(blkio_delay=0.030)
    reply = machine.client(pid=1001).stats(2100)
    assert machine.fields(reply, "blkio_delay_total") == ["blkio_delay_total=30000000"]


@pytest.mark.parametrize(
    ("nr_cpus", "longest"), [(256, 1636), (8, 148), (4096, 24676)]
)  # TASKSTATS_CPUMASK_MAXLEN: 100 + 6 * NR_CPUS
def test_nr_cpus_bounds_the_length_of_cpu_lists(nr_cpus: int, longest: int) -> None:
    machine = bench("6.18", nr_cpus=nr_cpus)
    client = machine.client()
    for length, outcome in ((longest, "0"), (longest + 1, "E2BIG")):
        text = b"0" + b"," * (length - 2) + b"\0"
        assert client.outcome(machine.get([(3, text)], NLM_F_ACK)) == outcome


@pytest.mark.parametrize(
    ("release", "offstack", "outcome"),
    [
        # include/linux/cpumask.h: nr_cpumask_bits
        ("6.0", False, "EINVAL"),
        ("6.0", True, "ERANGE"),
        ("6.1", False, "ERANGE"),
        ("6.1", True, "ERANGE"),
    ],
)
def test_the_width_of_cpu_masks(release: str, offstack: bool, outcome: str) -> None:
    machine = bench(release, cpumask_offstack=offstack)
    assert machine.client().outcome(machine.get([(3, "2")], NLM_F_ACK)) == outcome


def test_cpus_that_are_possible_and_not_online() -> None:
    # kernel/taskstats.c asks cpu_possible_mask; with gaps in it, also below nr_cpu_ids.
    machine = Bench(profile_for("6.18"), cpus=Cpus([0, 1, 4], online=[0]))
    client = machine.client()
    outcomes = {
        text: client.outcome(machine.get([(3, text)], NLM_F_ACK))
        for text in ("0", "1", "4", "2", "5")
    }
    assert outcomes == {"0": "0", "1": "0", "4": "0", "2": "EINVAL", "5": "ERANGE"}


def test_sizes_of_socket_buffers() -> None:
    machine = bench("6.18", rmem_default=4096, rmem_max=8192, wmem_default=6000, wmem_max=7000)
    client = machine.client()

    def size(option: int) -> int:
        data, _ = client.sock.getsockopt(SOL_SOCKET, option, 4)
        return int.from_bytes(data, "little")

    assert (size(SO_RCVBUF), size(SO_SNDBUF)) == (4096, 6000)
    # net/core/sock.c doubles what is asked for, up to the limit.
    client.setsockopt(SO_RCVBUF, 100_000, SOL_SOCKET)
    client.setsockopt(SO_SNDBUF, 100_000, SOL_SOCKET)
    assert (size(SO_RCVBUF), size(SO_SNDBUF)) == (16384, 14000)


def test_pid_max() -> None:
    machine = Machine(pid_max=1000)
    with pytest.raises(ValueError, match="pid 1000 is not between 1 and pid_max 1000 - 1"):
        machine.tasks.fork(pid=1000)
    assert machine.tasks.fork(pid=999).pid == 999


def test_the_family_id() -> None:
    machine = bench("6.18", taskstats_family_id=0x2A)
    reply = machine.client().stats()
    assert reply[4:6] == b"\x2a\0"


def test_without_extended_accounting() -> None:
    """kernel/tsacct.c: xacct_add_tsk() is empty without CONFIG_TASK_XACCT."""
    names = ("coremem", "hiwater_rss", "read_char", "read_bytes", "ac_exe_inode", "ac_minflt")

    def seen(**config: bool) -> list[str]:
        machine = bench("6.18", **config)
        task = machine.worker
        task.mm = Mm(4096, 8192, 1, 99)
        task.integrate_memory(4096, 8192, utime=1.0, stime=0.0)
        task.min_flt = 7
        task.io.rchar = task.io.read_bytes = 4096
        fields = machine.fields(machine.client().stats(), *names)
        return [field.partition("=")[2] for field in fields]

    assert seen() == ["4000000", "4096", "4096", "4096", "99", "7"]
    assert seen(task_io_accounting=False) == ["4000000", "4096", "4096", "0", "99", "7"]
    assert seen(task_xacct=False) == ["0", "0", "0", "0", "99", "7"]


@pytest.mark.parametrize(
    ("hz", "micro"), [(100, 20_000), (250, 12_000), (300, 13_333), (1000, 12_000)]
)
def test_time_outs_are_whole_ticks(hz: int, micro: int) -> None:
    """sock_set_timeout() rounds up to ticks, sock_get_timeout() tells them; 11.5 ms are set."""
    machine = bench("6.18", hz=hz)
    client = machine.client()
    asked = (2).to_bytes(8, "little") + (11_500).to_bytes(8, "little")
    client.setsockopt(SO_RCVTIMEO, asked, SOL_SOCKET)
    data, _ = client.sock.getsockopt(SOL_SOCKET, SO_RCVTIMEO, 16)
    assert (int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")) == (2, micro)


@pytest.mark.parametrize(("hz", "coremem"), [(100, "0"), (250, "0"), (1000, "8000")])
def test_memory_is_summed_by_whole_ticks(hz: int, coremem: str) -> None:
    machine = bench("6.18", hz=hz)
    machine.worker.integrate_memory(4096, 8192, utime=0.002, stime=0.0)
    assert machine.fields(machine.client().stats(), "coremem") == [f"coremem={coremem}"]


@pytest.mark.parametrize("option", [46, 56, 69, 70])
def test_without_busy_polling(option: int) -> None:
    client = bench("6.18", net_rx_busy_poll=False).client()
    assert client.setsockopt(option, 1, SOL_SOCKET) == "ENOPROTOOPT"
