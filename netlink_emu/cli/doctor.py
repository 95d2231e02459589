"""``netlink-emu doctor``: what ``netlink-emu run`` needs of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from netlink_emu.interpose.doctor import Finding, examine


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
) -> None:
    """Check whether "netlink-emu run" works here, and if not, what is missing.

    The exit status is 1 if it does not work.
    """
    findings = examine()
    if as_json:
        for finding in findings:
            print(json.dumps({"verdict": _verdict(finding), **asdict(finding)}))
    else:
        _print(findings)
    if any(finding.required and not finding.works for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{_verdict(finding):8} {finding.name:{width}}  {finding.meaning}")


def _verdict(finding: Finding) -> str:
    if finding.works:
        return "ok"
    return "missing" if finding.required else "absent"
