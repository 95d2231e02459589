"""A session's page in a real browser: what it shows, what keys do, how long it takes."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from helpers.browser import Browser, browser, modules

from netlink_emu.journal import Journal
from netlink_emu.journal.pairs import IGNORED, pair
from netlink_emu.page import write_page
from netlink_emu.page.comparison import write_comparison
from netlink_emu.testing import EmulatedKernel

__all__ = ["browser", "modules"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

HOSTILE: Final = '</script><img src=x onerror="alert(1)">\u202e'
# Where somebody who wants to look at the pictures has them kept.
SHOTS: Final = Path(os.environ["NETLINK_EMU_SHOTS"]) if "NETLINK_EMU_SHOTS" in os.environ else None
NEW: Final = "#table .row:has-text('TASKSTATS_CMD_NEW PID 4242')"


def ask(kernel: EmulatedKernel, sock: Any, pid: int, seq: int) -> None:
    header = b"".join(
        number.to_bytes(size, "little")
        for number, size in (
            (28, 4), (kernel.family_id, 2), (1, 2), (seq, 4), (0, 4), (1, 1), (1, 1), (0, 2),
            (8, 2), (1, 2), (pid, 4),
        )
    )  # fmt: skip
    sock.send(header)
    sock.recv(65536)


@pytest.fixture
def journal() -> Any:
    """A session with requests, errors, events, a task's end, hostile strings."""
    with EmulatedKernel("6.1", cpus=2, tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
        sock = kernel.connect()
        listener = kernel.connect()
        listener.send(
            (32).to_bytes(4, "little") + kernel.family_id.to_bytes(2, "little")
            + b"\x05\0" + bytes(8) + b"\1\1\0\0\x08\0\3\0" + b"0-1\0" + bytes(4)
        )  # fmt: skip
        listener.recv(4096)
        ask(kernel, sock, 4242, 1)
        ask(kernel, sock, 99, 2)
        kernel.tasks.spawn("</script>").exit()
        ask(kernel, sock, 4242, 3)
        kernel.journal.note(HOSTILE)
        yield kernel.journal


def test_fields_and_bytes_light_up_together(browser: Browser, journal: Journal) -> None:
    found = browser.look(
        write_page("x", journal),
        ["texts", "#count"],
        ["click", f"{NEW} >> nth=0"],
        ["hover", "#fields .row:has-text('nlmsg_type')"],
        ["texts", "#bytes .over"],
        ["hover", "#bytes [data-at='16']"],
        ["texts", "#fields .over"],
        ["move", 5, 5],
        ["texts", "#fields .over"],
    )
    number = len(journal)
    assert found[0] == [f"{number} of {number}"]
    assert found[3][:2] == ["1f", "00"]
    assert "cmd" in found[5][0]
    assert "TASKSTATS_CMD_NEW" in found[5][0]
    assert found[7] == []


def test_filters(browser: Browser, journal: Journal) -> None:
    found = browser.look(
        write_page("x", journal),
        ["select", "#by-error", "ESRCH"],
        ["texts", "#table .row .errno"],
        ["press", "Escape"],
        ["select", "#by-kind", "event"],
        ["texts", "#table .row .kind"],
        ["select", "#by-kind", ""],
        ["press", "Escape"],
        ["press", "/"],
        ["press", "p"],
        ["press", "o"],
        ["press", "s"],
        ["press", "t"],
        ["press", "g"],
        ["texts", "#count"],
        ["fill", "#find", "92 10 00 00"],
        ["texts", "#table .row .says"],
        ["select", "#by-cmd", "TASKSTATS_CMD_NEW"],
        ["texts", "#table .row .says"],
    )
    assert found[1]
    assert set(found[1]) == {"ESRCH"}
    assert found[4]
    assert set(found[4]) == {"event"}
    assert found[13][0].startswith("0 of")
    assert all("4242" in says for says in found[15])
    assert len(found[15]) == 4
    assert [says.split()[0] for says in found[17]] == ["TASKSTATS_CMD_NEW"] * 2


def test_keys_and_the_difference(browser: Browser, journal: Journal) -> None:
    found = browser.look(
        write_page("x", journal),
        ["click", f"{NEW} >> nth=0"],
        ["press", "r"],
        ["texts", "#table .chosen .kind"],
        ["press", "r"],
        ["press", "d"],
        ["click", f"{NEW} >> nth=1"],
        ["texts", "#fields .differs"],
        ["texts", "#about"],
        ["press", "d"],
        ["press", "Home"],
        ["texts", "#table .chosen .number"],
        ["press", "End"],
        ["texts", "#table .chosen .number"],
        ["press", "?"],
        ["run", "document.getElementById('help').open"],
    )
    assert found[2] == ["request"]
    assert any("nlmsg_seq" in row for row in found[6])
    assert not any("ac_comm" in row for row in found[6])
    assert "differ" in found[7][0]
    assert (found[10], found[12]) == (["#1"], [f"#{journal.number}"])
    assert found[14] is True


def test_what_a_client_says_stays_text(browser: Browser, journal: Journal) -> None:
    found = browser.look(
        write_page(HOSTILE, journal),
        ["fill", "#find", "onerror"],
        ["texts", "#table .row .says"],
        ["texts", "h1"],
        ["run", "document.images.length + document.scripts.length"],
    )
    assert found[1] == [HOSTILE.replace("\u202e", "\\u{202e}")]
    assert found[2] == found[1]
    assert found[3] == 2, "our script and our data"


PIXEL = """(() => {
  const style = getComputedStyle(document.body);
  return [style.backgroundColor, style.color];
})()"""


def test_dark_and_light(browser: Browser, journal: Journal, tmp_path: Path) -> None:
    seen = {}
    for theme in ("light", "dark"):
        shot = tmp_path / f"{theme}.png"
        steps = [["run", PIXEL], ["click", f"{NEW} >> nth=0"], ["shot", str(shot)]]
        seen[theme] = browser.look(write_page("x", journal), *steps, theme=theme)[0]
        assert shot.stat().st_size > 20_000, "something is drawn"
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert seen["light"] != seen["dark"]
    found = browser.look(write_page("x", journal), ["press", "t"], ["run", PIXEL], theme="light")
    assert found[1] == seen["dark"]


def test_the_diagram_zooms_and_is_clicked(browser: Browser, journal: Journal) -> None:
    ticks = "#diagram .tick"
    found = browser.look(
        write_page("x", journal),
        ["texts", "#legend span"],
        ["run", "[...document.querySelectorAll('#diagram text')].map((e) => e.textContent)"],
        ["move", 700, 200],
        ["wheel", 0, -300],
        ["wheel", 0, -300],
        ["run", f"[...document.querySelectorAll('{ticks}')].map((e) => e.textContent)"],
        ["press", "0"],
        ["press", "o"],
        ["texts", "#axis"],
        ["press", "o"],
        ["texts", "#axis"],
    )
    assert {"request", "error", "opened", "note"} <= {text.strip() for text in found[0]}
    assert any("kernel" in text for text in found[1])
    assert any("CPU 0" in text for text in found[1])
    assert found[5]
    assert found[5] != [text for text in found[1] if text.startswith("#")]
    assert {found[8][0], found[10][0]} == {"Axis: time", "Axis: order"}


def test_faults_losses_and_listeners_that_are_gone(browser: Browser) -> None:
    with EmulatedKernel("6.1", tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
        asks, listens = kernel.connect(), kernel.connect()
        listens.send(
            (32).to_bytes(4, "little") + kernel.family_id.to_bytes(2, "little")
            + b"\x05\0" + bytes(8) + b"\1\1\0\0\x08\0\3\0" + b"0\0" + bytes(6)
        )  # fmt: skip
        listens.recv(4096)
        kernel.faults.parse("errno error=EPERM cmd=TASKSTATS_CMD_GET")
        ask(kernel, asks, 4242, 1)
        listens.close()
        kernel.wait_until(lambda k: any(entry.what == "closed" for entry in k.journal))
        kernel.tasks.spawn("w").exit()
        page = write_page("x", kernel.journal)
    found = browser.look(
        page,
        ["texts", "#table .row .kind"],
        ["texts", "#legend span"],
        ["texts", "#table .row .client"],
    )
    assert {"fault", "dropped", "closed", "listener", "task"} <= set(found[0])
    assert {"fault", "drop", "pruned", "closed"} <= {text.strip() for text in found[1]}
    lanes = {text.lstrip("→←✗ ") for text in found[2]} - {""}
    assert len(lanes) == 2, "each socket has a name of its own"


def test_an_overrun_is_marked(browser: Browser, tmp_path: Path) -> None:
    with EmulatedKernel("6.1", tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
        listens = kernel.connect()
        listens.send(
            (32).to_bytes(4, "little") + kernel.family_id.to_bytes(2, "little")
            + b"\x05\0" + bytes(8) + b"\1\1\0\0\x08\0\3\0" + b"0\0" + bytes(6)
        )  # fmt: skip
        listens.recv(4096)
        kernel.tasks.spawn("early", cpu=0).exit()
        kernel.faults.enobufs()
        kernel.tasks.spawn("late", cpu=0).exit()
        page = write_page("x", kernel.journal)
    shot = SHOTS / "overrun.png" if SHOTS else tmp_path / "overrun.png"
    found = browser.look(
        page,
        ["texts", "#legend span"],
        ["select", "#by-kind", "overrun"],
        ["texts", "#table .row .says"],
        ["click", "#table .row >> nth=0"],
        # A triangle in the colour of errors, and in it a line.
        [
            "run",
            "[...document.querySelectorAll('#diagram path.error')].map((e) => e.outerHTML)",
        ],
        ["shot", str(shot)],
    )
    assert "overrun" in {text.strip() for text in found[0]}
    assert len(found[2]) == 1
    assert "ENOBUFS" in found[2][0]
    assert any(re.search(r"l6 11h-12z", path) for path in found[4])
    assert shot.stat().st_size > 20_000


def test_two_sessions(browser: Browser, tmp_path: Path) -> None:
    sides = []
    for release, pids in (("5.10", [4242, 1]), ("6.1", [4242, 1, 99])):
        with EmulatedKernel(release, cpus=2, tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
            sock = kernel.connect()
            for seq, pid in enumerate(pids, 1):
                ask(kernel, sock, pid, seq)
            kernel.tasks.spawn("w", cpu=1).exit()
            sides.append(list(kernel.journal))
    one, other = sides
    pairs = pair(one, other)
    page = write_comparison(f"A 5.10, B {HOSTILE}", one, other, pairs, IGNORED)
    shot = SHOTS / "two.png" if SHOTS else tmp_path / "two.png"
    found = browser.look(
        page,
        ["texts", "#count"],
        ["texts", "#by-pair option"],
        ["select", "#by-pair", "different"],
        ["texts", "#table .row .says"],
        ["click", "#table .row >> nth=0"],
        ["texts", "#about"],
        ["texts", "#fields .differs"],
        ["shot", str(shot)],
        ["press", "p"],
        ["texts", "#about button"],
        ["run", "document.getElementById('panes').classList.contains('difference')"],
        ["select", "#by-pair", "only in B"],
        ["texts", "#table .row .says"],
        ["run", "[...document.querySelectorAll('#diagram text')].map((e) => e.textContent)"],
    )
    assert found[0] == [f"{sum(map(len, sides))} of {sum(map(len, sides))}"]
    assert found[1] == ["all", "the same (4)", "different (4)", "only in B (2)"]
    assert [says[:18] for says in found[3]] == ["≠ TASKSTATS_CMD_NE"] * 4
    assert "fields differ" in found[5][0]
    [version] = [row for row in found[6] if "/version" in row]
    assert version.split()[-2:] == ["10", "13"]
    assert not any("nlmsg_seq" in row for row in found[6])
    assert "Beside the other session's (p)" in found[9]
    assert found[10] is False
    assert [says.split()[1] for says in found[12]] == ["TASKSTATS_CMD_GET", "NLMSG_ERROR"]
    for cpu in ("A CPU 1", "B CPU 1"):
        assert any(text.startswith(cpu) for text in found[13])


FILTER: Final = """new Promise((done) => {
  const find = document.getElementById("find"), began = performance.now();
  find.value = WHAT;
  find.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""
OPENED: Final = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def test_ten_thousand_messages(browser: Browser, record_property: Any) -> None:
    """Times are told, and held to what no machine is too slow for."""
    with EmulatedKernel("6.1", tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
        journal = Journal(kernel.kernel, limit=None, limit_bytes=None)
        sock = kernel.connect()
        for seq in range(5000):
            ask(kernel, sock, 4242 if seq % 3 else 99, seq)
        page = write_page("x", journal)
        number = len(journal)
    filters = [
        ["run", FILTER.replace("WHAT", json.dumps(what))] for what in ("esrch", "pid 4242", "")
    ]
    found = browser.look(
        page, ["run", OPENED], ["texts", "#count"], *filters, ["press", "End"],
        ["texts", "#table .chosen .number"],
        ["run", "document.querySelectorAll('*').length"],
    )  # fmt: skip
    assert found[1] == [f"{number} of {number}"]
    assert number >= 10_000
    assert found[6] == [f"#{number}"]
    assert found[7] < 3000, "only what is in sight is there"
    record_property("opened_ms", found[0])
    record_property("filtered_ms", found[2:5])
    sys.stdout.write(f"opened in {found[0]:.0f} ms, filtered in {found[2:5]} ms\n")
