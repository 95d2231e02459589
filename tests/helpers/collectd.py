"""collectd, whose plugin "processes" insists on the struct taskstats of its compiler's headers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(os.environ.get("COLLECTD_ROOT", "/"))
COLLECTD: Final = ROOT / "usr/sbin/collectd"
_CONFIG: Final = """\
BaseDir "{directory}"
PIDFile "{directory}/pid"
PluginDir "{root}/usr/lib/collectd"
TypesDB "{root}/usr/share/collectd/types.db"
Interval 0.2
Hostname "localhost"
FQDNLookup false
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File STDERR
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir stdout
</Plugin>
LoadPlugin processes
<Plugin processes>
  CollectDelayAccounting true
  Process "{name}"
</Plugin>
"""


def watching_a_sleeper(directory: Path) -> tuple[Path, Path]:
    """A configuration, and the program that it watches: a ``sleep`` of a name of its own.

    collectd sums over all processes of a name.
    """
    config, sleep = directory / "collectd.conf", directory / f"sleeps{os.getpid()}"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", sleep)
    config.write_text(_CONFIG.format(directory=directory, root=ROOT, name=sleep.name))
    return config, sleep


# TASKSTATS_VERSION of the headers that Debian compiled it with: linux-libc-dev 6.1 and 6.12.
_COMPILED_WITH: Final = {"5.12.0-14": 13, "5.12.0-26": 14}


def version_of_collectd() -> int:
    """The version of the struct that it insists on; skips the test if it is not known."""
    command = ["dpkg-query", "-W", "-f", "${Version}", "collectd-core"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 13  # unpacked below $COLLECTD_ROOT: Debian 12's
    version = _COMPILED_WITH.get(said.partition("+")[0])
    if version is None:
        pytest.skip(f"nobody has looked which headers collectd {said} was compiled with")
    return version


def said_enough(config: Path) -> str:
    """A shell's command: collectd until it has told five rates, or was refused five answers."""
    said = config.with_name("said")
    many = f"[ \"$(grep -cE 'delay_rate-delay-blkio|Protocol error' {said})\" -ge 5 ]"
    return (
        f"{COLLECTD} -f -C {config} >{said} 2>&1 & collectd=$!; "
        f"until {many} || ! kill -0 $collectd; do sleep 0.1; done; "
        f"kill $collectd; wait $collectd; cat {said}"
    )
