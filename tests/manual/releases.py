"""docs/releases.md, made from the table of eras."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.eras.report import layout, news, sizes
from netlink_emu.eras.seen import told, witnesses
from netlink_emu.eras.text import WORDS, Area
from netlink_emu.kernel.config import KEYS
from netlink_emu.kernel.profile import ARCHS, KernelConfig
from netlink_emu.kernel.releases import CAPABILITIES, eras, profile_for
from netlink_emu.kernel.releases_table import (
    CHANGES,
    FIRST_RELEASE,
    TREES_READ,
    UNALIGNED_ACCESS_SINCE,
    Certainty,
    Change,
)

INTRODUCTION = """\
# Kernels

<!-- Made by scripts/write-docs from netlink_emu/kernel/releases_table.py. Do not edit. -->

Any release from 2.6.18, the first with TASKSTATS, to 7.3 can be emulated: `--release 5.10`,
`profile_for("6.1.192")`. What an emulated kernel does is decided by independent capabilities,
never by its version number; this page lists them all, with the place in the kernel's source
that each was read from.

- `5.10` is 5.10.0. Stable kernels have changes that mainline made later: name the patch level
  (`5.10.223`) to have them. The one exception is `6.18`, the default, which is 6.18.44: the
  kernel whose answers were recorded and are replayed as tests.
- Behind the numbers, anything may follow (`6.1.0-18-amd64`, `5.15.0-91-generic`). It is not
  looked at, so give the upstream number where a distribution's name hides it: Debian's
  `6.1.0-18` is a 6.1.76.
- Release candidates are refused, and so is what was never released.

`netlink-emu releases diff 5.9 5.10` says in words and bytes what changes between two kernels,
`netlink-emu releases show 5.10` all about one. `netlink_emu.kernel.releases.releases()` gives one
release of each era, for a test that is to run on all of them.
"""

# KernelConfig's members in words.
CONFIGURATION = {
    "taskstats": "CONFIG_TASKSTATS: without it there is no family.",
    "task_delay_acct": "CONFIG_TASK_DELAY_ACCT: without it every delay field is 0.",
    "task_xacct": "CONFIG_TASK_XACCT: without it memory and I/O are 0.",
    "task_io_accounting": "CONFIG_TASK_IO_ACCOUNTING: without it the bytes of disks are 0.",
    "net_rx_busy_poll": "CONFIG_NET_RX_BUSY_POLL: without it SO_BUSY_POLL and kin are not there.",
    "hz": "CONFIG_HZ: time-outs of sockets are whole ticks.",
    "task_delayacct": "Delay accounting on or off at boot; by default as the release has it.",
    "cpumask_offstack": "CONFIG_CPUMASK_OFFSTACK: CPU lists end at the last CPU before 6.1, too.",
    "efficient_unaligned_access": "HAVE_EFFICIENT_UNALIGNED_ACCESS; by default the machine's.",
    "nr_cpus": "CONFIG_NR_CPUS: bounds the length of CPU lists, and before 6.1 their width.",
    "rmem_default": "net.core.rmem_default: a receive buffer, in bytes.",
    "rmem_max": "net.core.rmem_max: what SO_RCVBUF may ask for.",
    "wmem_default": "net.core.wmem_default: a send buffer, in bytes.",
    "wmem_max": "net.core.wmem_max: what SO_SNDBUF may ask for.",
    "pid_max": "kernel.pid_max: tasks have lower numbers.",
    "max_header": "MAX_HEADER, the longest header below IP: 32, with wireless 96, with mesh or "
    "Hyper-V 128, with tunnels 48 more. It decides what a small datagram costs.",
    "taskstats_family_id": "The id of TASKSTATS, which clients have to look up.",
}

NOTES = """\
## What differs, but not here

- Until 2.6.23 requests were queued, and under contention worked off by another process's call.
  The emulated kernel does one system call at a time, so nobody can see it.
- 2.6.39.4 ignores a registration also when the older one is about to be removed, 3.0 does not.
  Both take place within one system call.
- From 2.6.24 to 4.8 the policy of CGROUPSTATS was shorter than the highest attribute: attributes
  2 to 4 were checked against whatever lay behind it in memory. Here they are ignored.
- Netlink's rings (3.10 to 4.3) are there, but no memory for any: NETLINK_RX_RING is ENOMEM.
- A family that is unknown may be looked for as a module (3.3), which takes time. Not here.
- Sizes of socket buffers, which decide how much fits a receive buffer, are those of 6.18.
- Version 12 of the struct existed between two merges of 5.19-rc1, in no release.
- Vendors changed the struct without changing its version. No such kernel is emulated.
"""


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _eras() -> Iterator[str]:
    yield "## Eras"
    yield ""
    yield "Kernels in one line cannot be told apart by a client. Sizes are bytes, on x86-64: of"
    yield "`struct taskstats`, of a reply to GET (or the event of one task), of the event of a"
    yield "thread group. A stable kernel's news are those against its series' first release."
    yield ""
    headings = ("release", "kernels", "version", "struct", "GET", "group", "what is new")

    def rows() -> Iterator[tuple[str, ...]]:
        for era in eras():
            measured = (str(size) for size in sizes(era.profile))
            version = str(era.profile.taskstats_version)
            yield (era.release, era.kernels, version, *measured, news(era))

    yield from _table(headings, rows())


def _line(change: Change) -> tuple[str, ...]:
    levels = [
        f"{'at the latest ' if series in change.seen else ''}{series}.{patch}"
        for series, patch in change.stable.items()
    ]
    stable = ", ".join([*levels, *(f"{series}.?" for series in change.unknown)])
    if change.capability == "taskstats_version":
        struct = layout(profile_for(change.since)).size
        says = f"Version {change.value}, {struct} bytes."
    else:
        says = WORDS[change.capability].of(change.value)
    if change.only is not None:
        says = f"On {change.only.words}: {says}"
    where = f"`{change.source}`"
    return (
        change.since,
        stable,
        f"`{change.capability}`",
        says,
        where,
        told(change),
        (Certainty.LIVE if witnesses(change)[0] else change.certainty).name.lower(),
    )


def _changes() -> Iterator[str]:
    yield "## Changes"
    yield ""
    yield "From which release on, and from which stable patch levels on, a capability has a value."
    yield "`6.6.?` is a series that was maintained then, and nobody has looked up whether it got"
    yield "the change; it is emulated without. How a line is known:"
    yield ""
    for certainty in Certainty:
        yield f"- *{certainty.name.lower()}*: {certainty.value}."
    yield ""
    yield "*Seen on* names the recorded kernels next to the line: with the new value, and *not on*"
    yield "the last one with the value before. Of each, a recorded case fails where the emulator"
    yield "has the other value. [Conformance](conformance.md#other-kernels) lists the recordings."
    yield ""
    headings = ("since", "stable", "capability", "what it says", "source", "seen on", "known")
    yield from _table(headings, map(_line, CHANGES))
    yield ""
    yield "Read were " + ", ".join(TREES_READ) + "."


def _first() -> Iterator[str]:
    yield f"## {FIRST_RELEASE}"
    yield ""
    first = profile_for(FIRST_RELEASE)
    for area in Area:
        yield f"**{area.value}**"
        yield ""
        for capability in CAPABILITIES:
            if WORDS[capability].area is area:
                value = getattr(first, capability)
                says = WORDS[capability].of(value)
                if says == str(value):
                    says = f"{value}."
                yield f"- {WORDS[capability].subject} (`{capability}`): {says}"
        yield ""


def _machines() -> Iterator[str]:
    yield "## Machines"
    yield ""
    yield "`--arch` names the machine. Its byte order is that of all messages; machines that"
    yield "cannot access unaligned words efficiently have `TASKSTATS_TYPE_NULL` in them (see"
    yield "`taskstats_pad`)."
    yield ""
    headings = ("arch", "byte order", "bits", "u64 aligned to", "page size", "cache line",
                "unaligned access")  # fmt: skip

    def rows() -> Iterator[tuple[str, ...]]:
        for arch in ARCHS.values():
            since = UNALIGNED_ACCESS_SINCE.get(arch.name)
            access = "yes" if arch.efficient_unaligned_access else "no"
            yield (
                arch.name,
                arch.order.name,
                str(arch.bits),
                str(arch.u64_align),
                str(arch.page_size),
                str(arch.smp_cache_bytes),
                access if since is None else f"since {since}",
            )

    yield from _table(headings, rows())


def _configuration() -> Iterator[str]:
    yield "## Configuration"
    yield ""
    yield "What the builder and the administrator of a kernel choose: `--config nr_cpus=64`,"
    yield "`--config task_delayacct=on`, or a `KernelConfig` for `profile_for()`."
    yield ""
    defaults = KernelConfig()

    def rows() -> Iterator[tuple[str, ...]]:
        for key in KEYS:
            value = getattr(defaults, key)
            default = {None: "", True: "on", False: "off"}.get(value, str(value))
            yield f"`{key}`", default, CONFIGURATION[key]

    yield from _table(("key", "default", "what it is"), rows())


def page() -> str:
    """The page."""
    parts = (_eras(), _changes(), _first(), _machines(), _configuration())
    sections = ["\n".join(part).rstrip() + "\n" for part in parts]
    return "\n".join((INTRODUCTION, *sections, NOTES))
