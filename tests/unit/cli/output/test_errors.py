"""How the command line ends when something is wrong."""

from __future__ import annotations

import errno
import os
import resource

import pytest

from netlink_emu.cli.output.errors import UserError, report


def test_a_users_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(UserError("there is no file x")) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "netlink-emu: there is no file x\n")


def test_groups_are_looked_into(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("g", [UserError("one"), ExceptionGroup("h", [UserError("one")])])
    assert report(group) == 1
    assert capsys.readouterr().err == "netlink-emu: one\n"


def test_an_interrupt_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


TOO_MANY = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (TOO_MANY, "this process may open 12 files at most (RLIMIT_NOFILE), which are too few"),
        (RuntimeError("can't start new thread"), "no thread can be started: no process is left"),
    ],
)
def test_what_limits_withhold_is_one_sentence(
    exc: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (12, 4096))
    assert report(ExceptionGroup("g", [exc])) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"netlink-emu: {said}")
    assert err.count("\n") == 1


def test_who_could_open_many_files_has_lost_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    assert report(TOO_MANY) == 70
    assert "this is a bug" in capsys.readouterr().err


@pytest.mark.parametrize(
    "exc",
    [KeyError("x"), ExceptionGroup("g", [UserError("mine"), KeyError("x")])],
    ids=["alone", "beside a user's mistake"],
)
def test_a_bug_of_ours_shows_its_traceback(
    exc: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(exc) == 70
    err = capsys.readouterr().err
    assert "KeyError: 'x'" in err
    assert err.endswith("to the project's issue tracker\n")
