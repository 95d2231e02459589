"""The monitor on machines that nobody has at hand."""

import pytest

from protocol import Ended, parse


def next_line(client):
    return parse(client.read_until().rstrip())


@pytest.mark.parametrize("release", ["2.6.35", "3.10", "5.10", "6.18"])
def test_every_cpu(netlink_emu, monitor, release):
    kernel = netlink_emu(release)
    client = kernel.popen([monitor, "0-3"])
    kernel.wait_for_listener(cpu=range(4))
    for cpu in range(4):
        kernel.tasks.spawn("postgres", pid=4200 + cpu, cpu=cpu).exit(cpu)
        assert next_line(client) == Ended(4200 + cpu, "postgres", f"exit {cpu}")


def test_a_signal(netlink_emu, monitor):
    kernel = netlink_emu()
    client = kernel.popen([monitor, "0"])
    kernel.wait_for_listener(cpu=0)
    kernel.tasks.spawn("nginx", pid=80, cpu=0).kill("SIGSEGV", core_dumped=True)
    assert next_line(client) == Ended(80, "nginx", "signal 11")


def test_other_cpus_are_none_of_its_business(netlink_emu, monitor):
    kernel = netlink_emu()
    client = kernel.popen([monitor, "0"])
    kernel.wait_for_listener(cpu=0)
    kernel.tasks.spawn("elsewhere", cpu=1).exit()
    kernel.tasks.spawn("here", pid=300, cpu=0).exit()
    assert next_line(client) == Ended(300, "here", "exit 0")


def test_it_says_that_some_were_lost(netlink_emu, monitor):
    kernel = netlink_emu()
    client = kernel.popen([monitor, "0-3"])
    kernel.wait_for_listener(cpu=0)
    kernel.faults.enobufs_now()
    assert next_line(client) is None
    kernel.tasks.spawn("after", pid=300, cpu=0).exit()
    assert next_line(client) == Ended(300, "after", "exit 0")


def test_a_struct_that_has_grown(netlink_emu, monitor):
    kernel = netlink_emu()
    client = kernel.popen([monitor, "0"])
    kernel.wait_for_listener(cpu=0)
    kernel.faults.long_struct(by=64, kind="event")
    kernel.tasks.spawn("future", pid=300, cpu=0).exit()
    assert next_line(client) == Ended(300, "future", "exit 0")


@pytest.mark.netlink_emu(uid=1000)
def test_who_may_not_listen_is_told_so(netlink_emu, monitor):
    done = netlink_emu().run([monitor, "0"])
    assert done.returncode == 1
    assert done.stderr == "monitor: cannot listen on CPUs 0: Operation not permitted\n"


def test_a_kernel_without_taskstats(netlink_emu, monitor):
    kernel = netlink_emu()
    kernel.faults.errno("ENOENT", CTRL_ATTR_FAMILY_NAME="TASKSTATS")
    done = kernel.run([monitor, "0"])
    assert (done.returncode, done.stderr) == (2, "monitor: this kernel has no TASKSTATS\n")
