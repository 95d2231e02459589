"""Eras in words and bytes: the lines that ``netlink-emu releases`` prints.

Words come from :mod:`netlink_emu.eras.text`, bytes from probes on emulated kernels,
offsets from the declaration of struct taskstats.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap
from typing import Any, NamedTuple

from netlink_emu.eras.bench import Bench
from netlink_emu.eras.probes import probes
from netlink_emu.eras.text import WORDS, Area
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import CAPABILITIES, Era, differences, eras
from netlink_emu.kernel.releases_table import CHANGES
from netlink_emu.protocol.taskstats import TaskstatsLayout, taskstats_layout

HEX_WIDTH = 72  # eight groups of four bytes, and a word of text more or less


class Sizes(NamedTuple):
    """Bytes: of the struct, of a reply to GET or the event of one task, of a group's event."""

    struct: int
    get: int
    group_event: int


def sizes(profile: Profile) -> Sizes:
    """Measured on an emulated kernel with the profile."""
    bench = Bench(profile)
    client = bench.client()
    get = len(client.stats())
    thread = bench.machine.tasks.clone_thread(bench.worker)
    client.register("0")
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(bench.worker, 0)
    return Sizes(layout(profile).size, get, len(client.drain()[-1]))


def layout(profile: Profile) -> TaskstatsLayout:
    """The struct of the profile."""
    return taskstats_layout(profile.taskstats_version, profile.arch.u64_align)


# --- the table of eras

HEADINGS = ("release", "kernels", "struct", "GET", "group", "what is new")


def news(era: Era) -> str:
    """What is new in an era: the subjects of its changes."""
    return "; ".join(WORDS[change.capability].subject for change in era.changes)


def era_rows(arch: str) -> Iterator[tuple[str, ...]]:
    """A row for each era under HEADINGS."""
    for era in eras(arch):
        size = sizes(era.profile)
        yield (
            era.release,
            era.kernels,
            f"v{era.profile.taskstats_version}, {size.struct}",
            str(size.get),
            str(size.group_event),
            news(era),
        )


def era_values(arch: str) -> Iterator[dict[str, Any]]:
    """The same eras for programs."""
    for era in eras(arch):
        size = sizes(era.profile)
        yield {
            "release": era.release,
            "kernels": era.kernels,
            "taskstats_version": era.profile.taskstats_version,
            "struct_bytes": size.struct,
            "get_bytes": size.get,
            "group_event_bytes": size.group_event,
            "new": [change.capability for change in era.changes],
        }


# --- one release


def sentence(profile: Profile, capability: str) -> str:
    """What a capability means to a client of this kernel."""
    value = getattr(profile, capability)
    if capability == "taskstats_version":
        size = sizes(profile)
        return (
            f"Version {value}: {size.struct} bytes; a reply to GET or the event of one task has "
            f"{size.get}, an event with a thread group {size.group_event}."
        )
    return WORDS[capability].of(value)


def describe(profile: Profile) -> Iterator[str]:
    """All that a client can find out about a kernel, by area."""
    yield f"Linux {profile.release} on {profile.arch.name}"
    for area in Area:
        yield ""
        yield area.value
        for capability in CAPABILITIES:
            if WORDS[capability].area is area:
                yield f"  {WORDS[capability].subject}: {sentence(profile, capability)}"


def capability_values(profile: Profile) -> Iterator[dict[str, Any]]:
    """The same for programs: an object for each capability."""
    for capability in CAPABILITIES:
        yield {
            **_about(capability),
            "value": _plain(getattr(profile, capability)),
            "text": sentence(profile, capability),
        }


def _about(capability: str) -> dict[str, Any]:
    words = WORDS[capability]
    return {"capability": capability, "area": words.area.value, "subject": words.subject}


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str | None) else str(value)


# --- two releases


def difference_values(a: Profile, b: Profile) -> Iterator[dict[str, Any]]:
    """What changes in capabilities, for programs: an object for each."""
    for capability in differences(a, b):
        yield {
            **_about(capability),
            "source": source(capability),
            "from": _plain(getattr(a, capability)),
            "to": _plain(getattr(b, capability)),
            "from_text": sentence(a, capability),
            "to_text": sentence(b, capability),
        }


def compare(a: Profile, b: Profile) -> Iterator[str]:
    """What changes for a client that moves from one kernel to another."""
    changed = differences(a, b)
    names = _names(a, b)
    machines = list(_compare_machines(a, b))
    if not changed and not machines:
        yield f"A client sees no difference between {names[0]} and {names[1]}"
        return
    yield f"From {names[0]} to {names[1]}"
    if machines:
        yield ""
        yield "The machine"
        yield from machines
    yield from _compare_layouts(a, b, names)
    for area in Area:
        here = [name for name in changed if WORDS[name].area is area]
        if here:
            yield ""
            yield area.value
        for capability in here:
            yield from _compare_capability(a, b, capability, names)


def _compare_machines(a: Profile, b: Profile) -> Iterator[str]:
    """What of the machines shows; the alignment of a u64 does in some layouts only."""
    old, new = a.arch, b.arch
    if old.order != new.order:
        yield f"  byte order: {old.order.name}-endian, then {new.order.name}-endian"
    if old.u64_align != new.u64_align and layout(a).fields != layout(b).fields:
        yield f"  alignment of a u64 in a struct: {old.u64_align}, then {new.u64_align}"
    if old.page_size != new.page_size:
        yield f"  page size, and so that of a dump's datagrams: {old.page_size}, {new.page_size}"


def _names(a: Profile, b: Profile) -> tuple[str, str]:
    if a.arch.name == b.arch.name:
        return a.release, b.release
    return f"{a.release} ({a.arch.name})", f"{b.release} ({b.arch.name})"


def source(capability: str) -> str:
    """Where in the kernel a capability is decided."""
    return ", ".join(
        dict.fromkeys(change.source for change in CHANGES if change.capability == capability)
    )


def _compare_capability(
    a: Profile, b: Profile, capability: str, names: tuple[str, str]
) -> Iterator[str]:
    width = max(map(len, names)) + 1
    yield f"  {WORDS[capability].subject} ({capability}, {source(capability)})"
    for profile, name in zip((a, b), names, strict=True):
        yield f"    {name + ':':{width}} {sentence(profile, capability)}"
    probe = probes()[capability]
    yield f"    {probe.doing}:"
    for profile, name in zip((a, b), names, strict=True):
        label = f"{name}:"
        for line in probe.run(profile):
            for part in wrap(line, HEX_WIDTH) or [""]:
                yield f"      {label:{width}} {part}".rstrip()
                label = ""


# --- two layouts


def _compare_layouts(a: Profile, b: Profile, names: tuple[str, str]) -> Iterator[str]:
    old, new = layout(a), layout(b)
    if old.fields == new.fields:
        return
    yield ""
    yield f"Members of struct taskstats ({old.size} bytes, then {new.size})"
    for text in _runs(old, new):
        yield f"  {text}"
    if old.size == new.size:
        yield "  Only the version tells the two apart: their size is the same."
    elif _is_prefix(old, new):
        yield f"  Readers of {names[0]}'s struct find all its members where they were."


def _is_prefix(old: TaskstatsLayout, new: TaskstatsLayout) -> bool:
    return all(new.fields.get(name) == field for name, field in old.fields.items())


def _runs(old: TaskstatsLayout, new: TaskstatsLayout) -> Iterator[str]:
    """Neighbours that share their fate are told of together, the newcomers last."""

    def moved(name: str) -> int | None:
        after = new.fields.get(name)
        return None if after is None else after.offset - old.fields[name].offset

    for shift, group in groupby(old.names, moved):
        names = list(group)
        if shift is None:
            yield f"{_span(names)}: gone from {_place(old, names)}"
        elif shift:
            yield f"{_span(names)}: from {_place(old, names)} to {_place(new, names)} ({shift:+})"
    for is_old, group in groupby(new.names, old.fields.__contains__):
        if not is_old:
            names = list(group)
            yield f"{_span(names)}: new at {_place(new, names)}"


def _span(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _place(where: TaskstatsLayout, names: list[str]) -> str:
    offsets = [str(where.fields[name].offset) for name in (names[0], names[-1])]
    return "-".join(dict.fromkeys(offsets))
