"""``netlink-emu releases``: the table, the difference of two kernels, one kernel."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.releases import app
from netlink_emu.kernel.releases import eras


def run(*args: str) -> list[str]:
    return checked(*args).output.splitlines()


def checked(*args: str) -> Result:
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code == 0, result.output
    return result


def failed(*args: str) -> str:
    """The sentence that the user is told."""
    result = CliRunner().invoke(app, list(args))
    assert isinstance(result.exception, UserError)
    return str(result.exception)


def section(lines: list[str], start: str) -> list[str]:
    """The lines from the one that begins with ``start`` to the next of its depth."""
    first = next(n for n, line in enumerate(lines) if line.strip().startswith(start))
    depth = len(lines[first]) - len(lines[first].lstrip())
    for last in range(first + 1, len(lines)):
        line = lines[last]
        if line and len(line) - len(line.lstrip()) <= depth:
            return [line.strip() for line in lines[first:last] if line]
    return [line.strip() for line in lines[first:] if line]


def test_the_table_has_a_line_for_each_era() -> None:
    heading, *rows = run()
    assert heading.split() == ["release", "kernels", "struct", "GET", "group", "what", "is", "new"]
    assert [row.split()[0] for row in rows] == [era.release for era in eras()]
    row = next(row for row in rows if row.startswith("6.14 "))
    figures = ["6.14", "6.14.0-6.14.8", "v15,", "560", "596", "1172", "layout;"]
    assert row.split()[:7] == figures
    assert "; the longest headers in a small datagram's buffer; " in row
    row = next(row for row in rows if row.startswith("6.16 "))
    assert "6.16-6.17, 6.18.0-6.18.34, 6.19" in row


def test_the_table_of_another_machine() -> None:
    rows = run("--arch", "mips64")
    assert any(row.startswith("4.7 ") and "TASKSTATS_TYPE_NULL" in row for row in rows)
    assert not any(row.startswith("4.7 ") for row in run())


def test_a_difference_in_words_and_bytes() -> None:
    lines = run("diff", "3.0", "3.1")
    assert lines[0] == "From 3.0 to 3.1"
    assert section(lines, "permission")[:4] == [
        "permission (get_needs_admin, kernel/taskstats.c: taskstats_ops)",
        "3.0: Anybody may ask, register and deregister.",
        "3.1: Asking, registering and deregistering need CAP_NET_ADMIN (EPERM).",
        "User nobody asks for a task:",
    ]
    # NLMSG_ERROR of -EPERM, the request behind it
    assert section(lines, "permission")[-2:] == [
        "3.1: 30000000 02000000 01000000 e8030000 ffffffff 1c000000 1f000100 01000000",
        "00000000 01010000 08000100 d0070000",
    ]
    assert section(lines, "I/O counters")[-3:] == [
        "3.1: read_syscalls=0",
        "write_syscalls=2048",
        "write_bytes=1024",
    ]
    assert not any("layout" in line for line in lines)


def test_the_way_back_is_told_the_other_way_round() -> None:
    lines = section(run("diff", "3.1", "3.0"), "permission")
    assert lines[1].startswith("3.1: Asking")
    assert lines[2].startswith("3.0: Anybody")


def test_moved_members() -> None:
    lines = run("diff", "6.13", "6.14")
    assert section(lines, "Members of struct taskstats (432 bytes, then 560)")[1:] == [
        "blkio_count to blkio_delay_total: from 32-40 to 48-56 (+16)",
        "swapin_count to swapin_delay_total: from 48-56 to 80-88 (+32)",
        "cpu_run_real_total to freepages_delay_total: from 64-320 to 112-368 (+48)",
        "thrashing_count to thrashing_delay_total: from 328-336 to 392-400 (+64)",
        "ac_btime64 to compact_delay_total: from 344-360 to 424-440 (+80)",
        "ac_tgid to wpcopy_delay_total: from 368-408 to 464-504 (+96)",
        "irq_count to irq_delay_total: from 416-424 to 528-536 (+112)",
        "cpu_delay_max to cpu_delay_min: new at 32-40",
        "blkio_delay_max to blkio_delay_min: new at 64-72",
        "swapin_delay_max to swapin_delay_min: new at 96-104",
        "freepages_delay_max to freepages_delay_min: new at 376-384",
        "thrashing_delay_max to thrashing_delay_min: new at 408-416",
        "compact_delay_max to compact_delay_min: new at 448-456",
        "wpcopy_delay_max to wpcopy_delay_min: new at 512-520",
        "irq_delay_max to irq_delay_min: new at 544-552",
    ]
    assert (
        "6.14: Version 15: 560 bytes; a reply to GET or the event of one task has 596, "
        "an event with a thread group 1172."
    ) in section(lines, "layout")


def test_a_struct_that_only_its_version_tells_apart() -> None:
    assert "  Only the version tells the two apart: their size is the same." in run(
        "diff", "6.14.8", "6.14.9"
    )


def test_a_struct_that_grew_at_its_end() -> None:
    lines = section(run("diff", "6.3", "6.4"), "Members")
    assert lines == [
        "Members of struct taskstats (416 bytes, then 432)",
        "irq_count to irq_delay_total: new at 416-424",
        "Readers of 6.3's struct find all its members where they were.",
    ]


def test_members_that_are_gone() -> None:
    assert "irq_count to irq_delay_total: gone from 416-424" in section(
        run("diff", "6.4", "6.3"), "Members"
    )


def test_two_names_of_one_kernel() -> None:
    assert run("diff", "6.16", "6.17") == ["A client sees no difference between 6.16 and 6.17"]


def test_two_machines() -> None:
    lines = run("diff", "2.6.20", "2.6.20", "--arch", "x86_64", "--to-arch", "i386")
    assert lines[0] == "From 2.6.20 (x86_64) to 2.6.20 (i386)"
    assert section(lines, "The machine")[1:] == ["alignment of a u64 in a struct: 8, then 4"]
    assert section(lines, "Members")[1:] == [
        "cpu_count to cancelled_write_bytes: from 16-256 to 12-252 (-4)"
    ]
    lines = run("diff", "4.6", "4.6", "--arch", "x86_64", "--to-arch", "sparc64")
    assert section(lines, "The machine")[1:] == [
        "byte order: little-endian, then big-endian",
        "page size, and so that of a dump's datagrams: 4096, 8192",
    ]
    assert "368 bytes: NULL at 20, AGGR_PID at 24, PID at 28, STATS at 36" in "\n".join(lines)


def test_one_kernel() -> None:
    lines = run("show", "2.6.18")
    assert lines[0] == "Linux 2.6.18 on x86_64"
    assert "permission: Anybody may ask, register and deregister." in section(lines, "Requests")
    assert "version of nlctrl: 1" in section(lines, "Generic netlink")
    assert (
        "layout: Version 1: 72 bytes; a reply to GET or the event of one task has 108, an event "
        "with a thread group 196." in section(lines, "struct taskstats")
    )


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("diff", "2.6.17", "3.0"), "Linux 2.6.17 is not known; nearest: 2.6.18"),
        (("diff", "3.0", "5.20"), "Linux 5.20 is not known; nearest: 5.19, 6.0"),
        (("show", "banana"), "'banana' is not the name of a kernel release; nearest: 2.6.18, 7.3"),
    ],
)
def test_unknown_releases(args: tuple[str, ...], sentence: str) -> None:
    assert failed(*args) == sentence


def test_unknown_machines() -> None:
    assert failed("--arch", "vax").startswith("unknown architecture 'vax'; known are x86_64, ")
    assert failed("show", "6.1", "--arch", "vax").startswith("unknown architecture 'vax'")
