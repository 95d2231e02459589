"""The names of a family, from its spec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netlink_emu.cli.output.errors import UserError

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.describe import FamilyDesc


def described_by(file: Path) -> FamilyDesc:
    """Read a YAML spec; raises UserError."""
    from netlink_emu.documents import DocumentError
    from netlink_emu.protocol.reading.declared import describe
    from netlink_emu.specs import read_spec_file

    try:
        return describe(read_spec_file(file).declaration)
    except DocumentError as exc:
        raise UserError(str(exc)) from None
    except OSError as exc:
        raise UserError(f"{file} cannot be read: {exc.strerror}") from None
