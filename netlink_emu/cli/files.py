"""``netlink-emu files``: where the files are that clients and other tools use."""

from __future__ import annotations

from typing import Annotated

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Argument
from netlink_emu.cli.usage.remote import JsonOption, Table, show
from netlink_emu.files import FILES, path_of


def files(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="Print only the path of this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the paths of the files for C, Go and Wireshark, and of the YAML specs."""
    try:
        paths = {file: str(path_of(file)) for file in (FILES if name is None else [name])}
    except LookupError as exc:
        raise UserError(str(exc.args[0])) from exc
    if name is not None and not as_json:
        print(paths[name])
        return
    rows = [{"file": file, "path": path, "what": FILES[file]} for file, path in paths.items()]
    show(Table(("file", "path", "what"), rows), as_json=as_json)
