"""netlink_emu/cli/completion-scripts: scripts for bash, zsh and fish.

They are whole, so that a key press starts no Python.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from manual.tree import PROGRAM, Command, Parameter, Values, tree

_WRITTEN = "Made by scripts/write-docs from the commands themselves. Do not edit."
_FILES = (Values.FILE, Values.DIRECTORY)


def _function(command: Command) -> str:
    return "_".join(["_netlink_emu", *command.path])


def _names(parameters: Iterable[Parameter], *, with_value: bool | None = None) -> list[str]:
    return [
        name
        for parameter in parameters
        for name in parameter.names
        if with_value is None or (parameter.values is not Values.NONE) is with_value
    ]


# --- bash


def bash() -> str:
    """The script for bash, with or without bash-completion."""
    return "\n".join(_bash()) + "\n"


def _bash() -> Iterator[str]:
    root = tree()
    yield f"# bash completion for {PROGRAM}. {_WRITTEN}"
    yield "_netlink_emu_words() {"
    yield '    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")'
    yield "    # A word that wants a value after it gets no space."
    yield "    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null"
    yield "}"
    yield ""
    yield "_netlink_emu_files() {"
    yield "    compopt -o filenames 2>/dev/null"
    yield '    mapfile -t COMPREPLY < <(compgen "-$1" -- "$cur")'
    yield "}"
    yield ""
    yield "_netlink_emu() {"
    yield "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} path= i"
    yield "    # --release=5.10 is three words to bash."
    yield '    [[ $prev != "=" ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}'
    yield '    [[ $cur != "=" ]] || cur='

    yield "    COMPREPLY=()"
    yield "    for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '        case "$path ${COMP_WORDS[i]}" in'
    known = [f'"{" ".join(c.path[:-1])} {c.path[-1]}"' for c in _below(root)]
    yield from (f"        {name} | \\" for name in known[:-1])
    yield f"        {known[-1]})"
    yield "            path=${path:+$path }${COMP_WORDS[i]} ;;"
    yield "        esac"
    yield "        [[ $path != run ]] || break"
    yield "    done"
    yield "    case $path in"
    for command in root.walk():
        yield f'    "{command.name}")'
        yield from (f"        {line}" for line in _bash_command(command))
        yield "        ;;"
    yield "    esac"
    yield "}"
    yield ""
    yield f"complete -F _netlink_emu {PROGRAM}"


def _below(root: Command) -> list[Command]:
    return [command for command in root.walk() if command.path]


def _bash_command(command: Command) -> Iterator[str]:
    if any(argument.values is Values.COMMAND for argument in command.arguments):
        values = "|".join(_names(command.options, with_value=True))
        yield "for ((i++; i < COMP_CWORD; i++)); do"
        yield "    case ${COMP_WORDS[i]} in"
        yield f"    {values}) ((i++)); [[ ${{COMP_WORDS[i]}} != = ]] || ((i++)) ;;"
        yield "    --) ((i++)); break ;;"
        yield "    -*) ;;"
        yield "    *) break ;;"
        yield "    esac"
        yield "done"
        yield "# What follows is another program's."
        yield "if ((i < COMP_CWORD)) && declare -F _command_offset >/dev/null; then"
        yield "    _command_offset $i"
        yield "    return"
        yield "fi"
        yield "if ((i < COMP_CWORD)); then"
        yield "    _netlink_emu_files f"
        yield "    return"
        yield "fi"
    options = [*_bash_values(command.options)]
    if options:
        yield "case $prev in"
        yield from options
        yield "esac"
    yield "if [[ $cur == -* ]]; then"
    yield f'    _netlink_emu_words "{" ".join([*_names(command.options), "--help"])}"'
    if command.commands:
        yield "else"
        yield f'    _netlink_emu_words "{" ".join(c.path[-1] for c in command.commands)}"'
    elif command.arguments:
        yield "else"
        yield f"    {_bash_value(command.arguments[-1])}"
    yield "fi"


def _bash_values(options: Iterable[Parameter]) -> Iterator[str]:
    unknown: list[str] = []
    for option in options:
        value = _bash_value(option)
        if value != ":":
            yield f"{'|'.join(option.names)}) {value}; return ;;"
        elif option.values is not Values.NONE:
            unknown += option.names
    if unknown:
        yield f"{'|'.join(unknown)}) return ;;"


def _bash_value(parameter: Parameter) -> str:
    if parameter.words:
        return f'_netlink_emu_words "{" ".join(parameter.words)}"'
    if parameter.values is Values.COMMAND:
        return 'mapfile -t COMPREPLY < <(compgen -c -- "$cur")'
    if parameter.values in _FILES:
        return f"_netlink_emu_files {'d' if parameter.values is Values.DIRECTORY else 'f'}"
    return ":"


# --- zsh


def zsh() -> str:
    """The script for zsh, to be autoloaded."""
    return "\n".join(_zsh()) + "\n"


def _zsh() -> Iterator[str]:
    yield f"#compdef {PROGRAM}"
    yield f"# {_WRITTEN}"
    yield ""
    yield "_netlink_emu_other() {"
    yield "  if [[ $words[1] == -- ]]; then"
    yield "    shift words"
    yield "    (( CURRENT-- ))"
    yield "  fi"
    yield "  _normal"
    yield "}"
    for command in tree().walk():
        yield ""
        yield f"{_function(command)}() {{"
        yield from (f"  {line}" for line in _zsh_command(command))
        yield "}"
    yield ""
    yield '_netlink_emu "$@"'


def _zsh_command(command: Command) -> Iterator[str]:
    specs = [spec for option in command.options for spec in _zsh_option(option)]
    specs.append("'(- *)--help[Show help and exit.]'")
    if not command.commands:
        specs += [
            _zsh_argument(number, argument) for number, argument in enumerate(command.arguments, 1)
        ]
        stops = " -A '-*'" if command.path == ("run",) else ""
        yield f"_arguments -s -S{stops} \\"
        yield from _continued(specs)
        return
    yield "local curcontext=$curcontext state line ret=1"
    yield "_arguments -C -A '-*' \\"
    specs += ["'1:command:->command'", "'*::argument:->argument' && ret=0"]
    yield from _continued(specs)
    yield "case $state in"
    yield "command)"
    yield "  local -a commands=("
    for below in command.commands:
        yield f"    {shlex.quote(f'{below.path[-1]}:{below.title}')}"
    yield "  )"
    yield "  _describe command commands && ret=0 ;;"
    yield "argument)"
    yield "  case $line[1] in"
    for below in command.commands:
        yield f"  {below.path[-1]}) {_function(below)} && ret=0 ;;"
    yield "  esac ;;"
    yield "esac"
    yield "return ret"


def _continued(specs: list[str]) -> Iterator[str]:
    yield from (f"  {spec} \\" for spec in specs[:-1])
    yield f"  {specs[-1]}"


def _zsh_option(option: Parameter) -> Iterator[str]:
    others = "" if option.repeated else f"({' '.join(option.names)})"
    text = re.sub(r"([\[\]:\\])", r"\\\1", option.text)
    value = "" if option.values is Values.NONE else f":{_zsh_value(option)}"
    for name in option.names:
        equals = "=" if name.startswith("--") and value else ""
        prefix = others or "*"
        yield shlex.quote(f"{prefix}{name}{equals}[{text}]{value}")


def _zsh_argument(number: int, argument: Parameter) -> str:
    if argument.values is Values.COMMAND:
        return "'*::command:_netlink_emu_other'"
    place = "*" if argument.repeated else str(number)
    return shlex.quote(f"{place}:{_zsh_value(argument)}")


def _zsh_value(parameter: Parameter) -> str:
    name = re.sub(r"[\[\].:]", "", parameter.metavar).lower()
    if parameter.words and parameter.words[0].endswith("="):
        return f"{name}:compadd -S '' -- {' '.join(parameter.words)}"
    if parameter.words:
        return f"{name}:({' '.join(parameter.words)})"
    if parameter.values in _FILES:
        return f"{name}:{'_directories' if parameter.values is Values.DIRECTORY else '_files'}"
    return f"{name}: "


# --- fish


def fish() -> str:
    """The script for fish."""
    return "\n".join(_fish()) + "\n"


def _fish() -> Iterator[str]:
    root = tree()
    yield f"# {_WRITTEN}"
    yield "function __netlink_emu_at --description 'Whether the words so far name this command'"
    yield "    set -l path"
    yield "    for word in (commandline -opc)[2..-1]"
    yield '        switch "$path $word"'
    known = [f"'{' '.join(c.path[:-1])} {c.path[-1]}'" for c in _below(root)]
    yield f"            case {' '.join(known)}"
    yield '                set path (string trim -- "$path $word")'
    yield "        end"
    yield '        test "$path" != run; or break'
    yield "    end"
    yield '    test "$path" = "$argv"'
    yield "end"
    yield ""
    yield "function __netlink_emu_command --description 'Completes what is to run'"
    yield "    set -l words (commandline -opc)[3..-1]"
    yield "    while set -q words[1]"
    yield "        switch $words[1]"
    run = next(command for command in root.commands if command.name == "run")
    yield f"            case {' '.join(_names(run.options, with_value=True))}"
    yield "                set -e words[1]"
    yield "            case --"
    yield "                set -e words[1]"
    yield "                break"
    yield "            case '-*'"
    yield "            case '*'"
    yield "                break"
    yield "        end"
    yield "        set -e words[1]"
    yield "    end"
    yield "    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))"
    yield "end"
    yield ""
    yield f"complete -c {PROGRAM} -f"
    for command in root.walk():
        at = f"-n {shlex.quote(f'__netlink_emu_at {command.name}'.strip())}"
        for option in command.options:
            yield f"complete -c {PROGRAM} {at} {_fish_option(option)}"
        yield f"complete -c {PROGRAM} {at} -l help -d 'Show help and exit.'"
        for below in command.commands:
            told = shlex.quote(below.title)
            yield f"complete -c {PROGRAM} {at} -a {below.path[-1]} -d {told}"
        for argument in command.arguments[-1:]:
            value = _fish_value(argument)
            if value:
                yield f"complete -c {PROGRAM} {at} {value}"


def _fish_option(option: Parameter) -> str:
    parts = []
    for name in option.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.values is not Values.NONE:
        parts.append(_fish_value(option) or "-x")
    return " ".join([*parts, "-d", shlex.quote(option.text)])


def _fish_value(parameter: Parameter) -> str:
    if parameter.words:
        return f"-x -a {shlex.quote(' '.join(parameter.words))}"
    if parameter.values is Values.COMMAND:
        return "-x -a '(__netlink_emu_command)'"
    if parameter.values is Values.DIRECTORY:
        return "-x -a '(__fish_complete_directories)'"
    if parameter.values is Values.FILE:
        return "-r -F"
    return ""
