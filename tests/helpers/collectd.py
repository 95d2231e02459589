"""collectd of Debian 12, whose plugin "processes" insists on struct taskstats of version 13."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(os.environ.get("COLLECTD_ROOT", "/"))
COLLECTD: Final = ROOT / "usr/sbin/collectd"
_CONFIG: Final = """\
BaseDir "{directory}"
PIDFile "{directory}/pid"
PluginDir "{root}/usr/lib/collectd"
TypesDB "{root}/usr/share/collectd/types.db"
Interval 0.2
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
