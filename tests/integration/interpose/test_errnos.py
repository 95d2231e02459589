"""Whatever a system call of ours fails with: the supervisor goes on, and the client hears of it.

programs/each_call.c makes each kind of call once. All system calls that are made for it in the
supervisor are found, and each fails once, with an errno that nobody expects and with one for
which descriptors are given up. errnos.txt has what the client then sees of the first.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.failing_calls import Calls, failing
from helpers.interposed import Compile, Result, needs_interposer, run_supervised

from netlink_emu.host import namespaces
from netlink_emu.interpose import mirror
from netlink_emu.interpose.syscalls import copies, uapi

pytestmark = needs_interposer
LINES = Path(__file__).with_name("errnos.txt").read_text().splitlines()
# A call and its place in our code, and what the client prints that it does not otherwise.
SEEN = dict(line.split(": ", 1) for line in LINES if not line.startswith("#"))


def run(monkeypatch: pytest.MonkeyPatch, program: Path, calls: Calls) -> Result:
    uapi.user_addresses.cache_clear()  # what was asked once would not be asked again
    mirror._charge.cache_clear()
    namespaces._own.cache_clear()
    with failing(monkeypatch, calls):
        return run_supervised([program])


@pytest.fixture(autouse=True, scope="module")
def none_is_kept() -> Iterator[None]:
    """From one call to the next: whether that comes soon enough is chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_MOST", 0)
        yield


@pytest.fixture(scope="module")
def usually(program: Compile) -> tuple[list[str], dict[str, int]]:
    """What the client prints when nothing fails, and which calls are made for it, how often."""
    calls = Calls()
    with pytest.MonkeyPatch.context() as patch:
        result = run(patch, program("each_call"), calls)
    return result.stdout.splitlines(), dict(calls.seen)


def test_every_call_is_known(usually: tuple[list[str], dict[str, int]]) -> None:
    """One that is new belongs into the table, with what clients see when it fails."""
    assert set(usually[1]) <= set(SEEN)


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EMFILE], ids=["EBUSY", "EMFILE"])
@pytest.mark.parametrize("site", SEEN)
def test_it_fails_once(
    monkeypatch: pytest.MonkeyPatch,
    program: Compile,
    usually: tuple[list[str], dict[str, int]],
    site: str,
    error: int,
) -> None:
    lines, made = usually
    if site not in made:
        pytest.skip("is not called here")
    for number in sorted({1, made[site]}):
        calls = Calls(site, number, error)
        result = run(monkeypatch, program("each_call"), calls)
        printed = result.stdout.splitlines()
        seen = "; ".join(p for p, line in zip(printed, lines, strict=False) if p != line)
        assert result.stderr == ""
        assert calls.failed or number > 1
        if error == errno.EMFILE and "process_vm" not in site:
            assert seen == "", "what is merely remembered makes room"
        elif number == 1:
            assert (seen or "nothing") == SEEN[site]
        # What comes after it may be a consequence: nothing to receive, say.
        assert not seen or seen.split("; ")[0].endswith(": ENOMEM")
        # Who sees nothing may do so because we have tried again: else it is told at the end.
        assert not seen or result.summary.failures or "process_vm" in site


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EPERM, errno.ENOSYS])
def test_without_a_comparison_a_duplicate_is_made(
    monkeypatch: pytest.MonkeyPatch,
    program: Compile,
    usually: tuple[list[str], dict[str, int]],
    error: int,
) -> None:
    """A client sees nothing of it, at whichever call that happens, if it happens at all."""
    lines, _ = usually
    monkeypatch.setattr(copies, "_MOST", 8)
    calls = Calls("kcmp in syscalls/copies.py take", 1, error)
    result = run(monkeypatch, program("each_call"), calls)
    assert result.stdout.splitlines() == lines
    assert result.stderr == ""
    assert not result.summary.failures
