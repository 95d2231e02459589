"""A project's settings as the options of a test's kernels."""

from __future__ import annotations

from netlink_emu.host.settings import Settings
from netlink_emu.testing.settings.options import KernelDefaults


def project_defaults(settings: Settings) -> KernelDefaults:
    """The options, with families made anew; raises ValueError for a spec that cannot be used."""
    found = KernelDefaults()
    if settings.release is not None:
        found["release"] = settings.release
    if settings.arch is not None:
        found["arch"] = settings.arch
    if settings.cpus is not None:
        found["cpus"] = settings.cpus
    if settings.families:
        from netlink_emu.families.own import Family

        try:
            found["families"] = [Family.from_spec(path) for path in settings.families]
        except OSError as exc:
            raise ValueError(f"{exc.filename} cannot be read: {exc.strerror}") from exc
    return found
