"""``--family``: families of somebody's own, from specs and from Python files."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from netlink_emu.cli.output.errors import UserError, say, to_stderr
from netlink_emu.cli.usage.declare import Option
from netlink_emu.protocol.errors import NetlinkError

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.families.own import Family

FamilyOption = Annotated[
    list[str] | None,
    Option(
        "--family", metavar="FILE[:STATE]",
        help="Add a family: a YAML spec, optionally with a file of its initial state; or "
        "module.py:NAME. May be repeated.",
    ),
]  # fmt: skip


def load_described_family(text: str, directory: Path) -> Family:
    """The family that a scenario in ``directory`` names; raises UserError.

    A scenario may be anybody's: it runs no Python, and reads nothing outside of its directory.
    """
    file, rest = _split(text, directory)
    if file.suffix == ".py":
        raise UserError(f"a scenario can only have families from specs: give {file} with --family")
    for each in (file, Path(rest)):
        if not (directory / each).resolve().is_relative_to(directory.resolve()):
            raise UserError(
                f"{each} is outside of the scenario's directory: give it with --family"
            )
    return load_family(text, directory)


def load_family(text: str, beside: Path | None = None) -> Family:
    """The family that an option names, of files in ``beside``; raises UserError."""
    directory = beside or Path()
    file, rest = _split(text, directory)
    file = directory / file
    if file.suffix == ".py":
        return _from_python(file, rest)
    # Imports yaml: not for those who have no such family.
    from netlink_emu.documents import DocumentError
    from netlink_emu.families.own import Family

    try:
        return Family.from_spec(file, state=directory / rest if rest else None)
    except DocumentError as exc:
        raise UserError(str(exc)) from None
    except OSError as exc:
        raise UserError(f"{exc.filename or file} cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        raise UserError(f"{file}: {exc}") from None


def _split(text: str, directory: Path) -> tuple[Path, str]:
    """A file, and what stands behind its name; a name may have colons itself."""
    if (directory / text).exists():
        return Path(text), ""
    head, colon, rest = text.rpartition(":")
    while colon and not (directory / head).exists():
        head, colon, _ = head.rpartition(":")
        rest = text[len(head) + 1 :]
    if colon:
        return Path(head), rest
    head, _, rest = text.partition(":")
    return Path(head), rest


def _from_python(file: Path, name: str) -> Family:
    from netlink_emu.families.own import Family

    if not name:
        raise UserError(f"--family {file}: say which family it is: {file}:NAME")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UserError(f"{file} cannot be read: there is no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
        found: Any = getattr(module, name, None)
        if callable(found) and not isinstance(found, type):
            found = found()  # a function that makes it
    except Exception as exc:
        # It is the user's own code that fails, and its traceback that helps.
        to_stderr("".join(traceback.format_exception(exc)))
        raise UserError(f"{file} cannot be used: {type(exc).__name__}: {exc}") from None
    finally:
        sys.path.remove(str(file.parent))
    if not isinstance(found, Family):
        there = [key for key, value in vars(module).items() if isinstance(value, Family)]
        has = f"; it has {', '.join(there)}" if there else ""
        raise UserError(f"{file} has no family {name!r}{has}")
    return found


def attach_families(kernel: BootedKernel, families: Sequence[Family]) -> None:
    """Register families with a kernel; raises UserError."""
    for family in families:
        try:
            family.attach(kernel, failed=_Slips(family.name))
        except NetlinkError:
            raise UserError(f"there is a family {family.name} already") from None


class _Slips:
    """What a function of a user's family raises is theirs to see; a client is answered EIO."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, exc: BaseException) -> None:
        to_stderr("".join(traceback.format_exception(exc)))
        say(f"a function of family {self._name} raised {type(exc).__name__}: {exc}")
