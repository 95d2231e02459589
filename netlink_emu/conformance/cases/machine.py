"""The machine that recorded a folder of transcripts: ``machine.json`` beside them.

It holds what transcripts depend on although it is not masked: release, architecture, CPUs, and
how the kernel was built and set. What a file does not tell is as the emulator has it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netlink_emu.kernel.config import ConfigError, configure

FILE_NAME: Final = "machine.json"
USER_MODE_LINUX: Final = "um"
# Members of KernelConfig by the names of Kconfig.
_SWITCHES: Final = ("task_xacct", "task_io_accounting", "net_rx_busy_poll")
_BUFFERS: Final = ("rmem_default", "rmem_max", "wmem_default", "wmem_max")
_MOST_BYTES: Final = 1 << 20


class MachineError(ValueError):
    """What is wrong with the description of a machine, in a sentence."""


@dataclass(frozen=True, slots=True)
class RecordedMachine:
    """One machine. ``release`` and ``arch`` are as ``uname`` says them, sizes are bytes.

    None stands for what the file does not tell.
    """

    release: str | None = None
    arch: str | None = None
    user_mode_linux: bool | None = None
    efficient_unaligned_access: bool | None = None
    nr_cpus: int | None = None
    cpumask_offstack: bool | None = None
    family_id: int | None = None
    families: tuple[str, ...] = ()
    cpus_possible: str | None = None
    task_delayacct: bool | None = None
    pid_max: int | None = None
    rmem_default: int | None = None
    rmem_max: int | None = None
    wmem_default: int | None = None
    wmem_max: int | None = None
    skb_small_truesize: int | None = None
    hz: int | None = None
    task_xacct: bool | None = None
    task_io_accounting: bool | None = None
    net_rx_busy_poll: bool | None = None

    @property
    def arch_name(self) -> str | None:
        """The emulator's name of the architecture."""
        return USER_MODE_LINUX if self.user_mode_linux else self.arch

    @property
    def settings(self) -> dict[str, Any]:
        """The members of KernelConfig that it tells."""
        told = {
            "nr_cpus": self.nr_cpus,
            "cpumask_offstack": self.cpumask_offstack,
            "efficient_unaligned_access": self.efficient_unaligned_access,
            "taskstats_family_id": self.family_id,
            "task_delayacct": self.task_delayacct,
            "pid_max": self.pid_max,
            "hz": self.hz,
            **{name: getattr(self, name) for name in _SWITCHES},
            **{name: getattr(self, name) for name in _BUFFERS},
        }
        return {name: value for name, value in told.items() if value is not None}


def machine_from_text(text: str | bytes) -> RecordedMachine:
    """The machine that a ``machine.json`` describes; raises MachineError."""
    try:
        source = json.loads(text)
    except RecursionError as exc:
        raise MachineError("it is nested too deeply") from exc
    except ValueError as exc:
        raise MachineError(f"it is no JSON: {exc}") from exc
    return machine_from_json(source)


def machine_from_json(source: object) -> RecordedMachine:
    """As :func:`machine_from_text`, parsed.

    Besides the members of :class:`RecordedMachine` it may have ``sysctl`` (texts by the names of
    sysctl(8)), ``config`` (texts by the names of Kconfig), ``delay_accounting``, ``uname`` and
    ``CONFIG_NR_CPUS``; the rest is for people.
    """
    if not isinstance(source, dict):
        raise MachineError("it describes no machine")
    told = _spread(source)
    values: dict[str, Any] = {
        field.name: _checked(field.name, told[field.name], str(field.type))
        for field in dataclasses.fields(RecordedMachine)
        if told.get(field.name) is not None
    }
    machine = RecordedMachine(**values)
    try:
        configure(machine.settings)
    except ConfigError as exc:
        raise MachineError(str(exc)) from exc
    return machine


def _spread(source: Mapping[str, Any]) -> dict[str, Any]:
    """The members by our names, from wherever the form has them."""
    told = dict(source)
    if isinstance(uname := source.get("uname"), list) and len(uname) == 5:
        told = {"release": uname[2], "arch": uname[4]} | told
    told.setdefault("nr_cpus", source.get("CONFIG_NR_CPUS"))
    told.setdefault("task_delayacct", source.get("delay_accounting"))
    if isinstance(config := source.get("config"), dict):
        told.setdefault("hz", _number_of(config.get("HZ")))
        for ours in _SWITCHES:
            if (chosen := config.get(ours.upper())) is not None:
                told.setdefault(ours, chosen == "y")
    if isinstance(sysctl := source.get("sysctl"), dict):
        for ours in _BUFFERS:
            told.setdefault(ours, _number_of(sysctl.get(f"net.core.{ours}")))
        told.setdefault("pid_max", _number_of(sysctl.get("kernel.pid_max")))
    return told


def _number_of(text: object) -> object:
    """A sysctl's number; what is none stays as it is, and an empty one is not told."""
    if isinstance(text, str):
        return int(text) if text.isascii() and text.isdigit() else text or None
    return text


def _checked(name: str, value: object, wanted: str) -> object:
    """The value if it is of the annotated type; raises MachineError."""
    kind = wanted.partition(" ")[0]
    if kind.startswith("tuple"):
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
    elif type(value).__name__ == kind:  # JSON's true is no number
        return value
    raise MachineError(f"{name} cannot be {str(value)[:40]!r}")


def read_machine(folder: Path) -> RecordedMachine | None:
    """The machine of a folder of transcripts: of a file in it, or in the folder above it.

    None if there is neither; raises MachineError.
    """
    for place in (folder / FILE_NAME, folder.resolve().parent / FILE_NAME):
        try:
            with place.open("rb") as file:
                data = file.read(_MOST_BYTES)
            return machine_from_text(data)
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise MachineError(f"{place} cannot be read: {exc.strerror}") from exc
        except MachineError as exc:
            raise MachineError(f"{place}: {exc}") from exc
    return None
