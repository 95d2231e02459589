"""``netlink-emu doctor``: what ``netlink-emu run`` needs of this machine."""

from __future__ import annotations

import typer

from netlink_emu.interpose.doctor import Finding, examine


def doctor() -> None:
    """Check whether "netlink-emu run" works here, and if not, what is missing.

    The exit status is 1 if it does not work.
    """
    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{_verdict(finding):8} {finding.name:{width}}  {finding.meaning}")
    if any(finding.required and not finding.works for finding in findings):
        raise typer.Exit(1)


def _verdict(finding: Finding) -> str:
    if finding.works:
        return "ok"
    return "missing" if finding.required else "absent"
