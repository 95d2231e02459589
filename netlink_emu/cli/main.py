"""The command line's root: finds the command, imports it alone, prints errors as one line.

Only the command that was asked for is imported, so that ``netlink-emu run`` does not wait for
the imports of ``serve``. A command's module exports either ``app``, commands of its own (a
:class:`Group`, or a typer application), or a function named as the command;
``CONTEXT_SETTINGS`` beside the function is handed to typer.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

from netlink_emu import __version__
from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.circumstances import note
from netlink_emu.cli.output.errors import EXIT_USER, report
from netlink_emu.cli.output.stdout import watched
from netlink_emu.cli.usage.declare import (
    Group,
    Option,
    as_typer,
    group_as_typer,
    parse_plain,
    take_loudness,
)
from netlink_emu.cli.usage.examples import epilog

if TYPE_CHECKING:
    import typer

COMMANDS: Final = (
    "run", "record", "replay", "cassette", "serve", "watch", "doctor", "decode", "tasks",
    "faults", "journal", "ctl", "family", "conformance", "releases", "files", "completion",
)  # fmt: skip
# Declared without typer, so that it need not be imported where the command line is plain.
_PLAIN: Final = (
    "run", "record", "replay", "cassette", "watch", "tasks", "faults", "journal", "ctl",
    "family", "files",
)  # fmt: skip
# Whose command after -- is not its only argument, so that it has to see the dashes.
_SEES_DASHES: Final = ("watch",)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"netlink-emu {__version__}")
        raise SystemExit


def _root(
    version: Annotated[
        bool,
        Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """A kernel's netlink, in user space, for people who write netlink clients."""
    loudness.forget()


def _add(root: typer.Typer, name: str) -> None:
    module_name = f"netlink_emu.cli.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name == module_name:  # not part of this build
            return
        raise
    app = getattr(module, "app", None)
    if isinstance(app, Group):
        app = group_as_typer(app, epilog)
    if app is not None:
        root.add_typer(app, name=name, epilog=epilog(name))
        return
    settings = getattr(module, "CONTEXT_SETTINGS", None)
    declared = root.command(name, context_settings=settings, epilog=epilog(name))
    declared(as_typer(getattr(module, name)))


def build(args: list[str]) -> typer.Typer:
    """The application for these arguments: with the one command they name, or with all."""
    import typer

    root = typer.Typer(
        no_args_is_help=True,
        add_completion=False,  # completion would import every command at each key
        rich_markup_mode=None,  # plain help: rich takes longer to import than `run` to start
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    root.callback()(as_typer(_root, is_command=False))
    named = [name for name in COMMANDS if args[:1] == [name]] or list(COMMANDS)
    for name in [] if args[:1] in (["--version"], ["-V"]) else named:
        _add(root, name)
    return root


def _run_plainly(args: list[str]) -> bool:
    """Run a command without waiting for typer; False where typer is needed to understand."""
    if not args or args[0] not in _PLAIN:
        return False
    module = importlib.import_module(f"netlink_emu.cli.{args[0]}")
    if hasattr(module, "app"):
        command, rest = module.app.commands.get(args[1] if args[1:] else ""), args[2:]
    else:
        command, rest = getattr(module, args[0]), args[1:]
    parameters = None if command is None else parse_plain(command, rest)
    if parameters is None:
        return False
    loudness.forget()
    take_loudness(parameters)
    command(**parameters)
    return True


def _command_line() -> str:
    """What was asked; of a command that is run its name alone, for the rest may be secret."""
    import shlex

    return shlex.join(["netlink-emu", *_shown(sys.argv[1:])])


def _shown(args: list[str]) -> list[str]:
    if args[:1] == ["watch"] and "--" in args:
        return [*args[: args.index("--") + 2], "..."]
    if args[:1] not in (["run"], ["record"]):
        return args
    module = importlib.import_module(f"netlink_emu.cli.{args[0]}")
    understood = parse_plain(getattr(module, args[0]), args[1:])
    if understood is None:
        return [args[0], "..."]
    command = understood["command"]
    ours = args[: len(args) - len(command)]
    return [*ours, command[0], "..."] if command[1:] else [*ours, command[0]]


def main() -> None:
    """Carry out the command line of this process; ends by SystemExit."""
    note("command line", _command_line)
    began = time.monotonic()
    with watched() as stdout:
        try:
            status = _run(sys.argv[1:])
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        except (Exception, KeyboardInterrupt) as exc:
            status = EXIT_USER if exc is stdout.failure else report(exc)
        status = stdout.finish(status)
        if loudness.loudness() is loudness.Loudness.VERBOSE:
            _tell_all(time.monotonic() - began)
    sys.exit(status)


def _tell_all(seconds: float) -> None:
    from netlink_emu.cli.output.circumstances import circumstances

    for line in (*circumstances(), f"took {seconds:.2f} s"):
        loudness.detail(line)


def _run(args: list[str]) -> int:
    """Run the command that these arguments name; the exit status, if nothing is raised."""
    if args and args[0] in _SEES_DASHES and "--" in args:
        at = args.index("--")
        args = [*args[:at], "--", *args[at:]]  # the first dashes end the options
    if _run_plainly(args):
        return 0
    from typer.main import get_command

    get_command(build(args))(args, prog_name="netlink-emu")
    return 0


if __name__ == "__main__":
    main()
