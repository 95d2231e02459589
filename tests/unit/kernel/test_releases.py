"""The names of releases, the table of their changes, and the eras that follow from it."""

from __future__ import annotations

import pytest

from netlink_emu.kernel.releases import (
    CAPABILITIES,
    SERIES,
    UnknownReleaseError,
    eras,
    parse_release,
    profile_for,
    releases,
)
from netlink_emu.kernel.releases_table import CHANGES, FIRST_VALUES, IA64, TREES_READ, Certainty

# --- names


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2.6.18", "2.6.18.1"),
        ("2.6.18.9", "2.6.18.10"),
        ("2.6.32.71", "2.6.33"),
        ("2.6.39.4", "3.0"),
        ("3.9.11", "3.10"),
        ("4.9.337", "4.10"),
        ("6.14.8", "6.14.9"),
        ("6.14.9", "6.14.10"),
        ("6.18.9", "6.18.44"),
        ("6.19", "7.0"),
    ],
)
def test_releases_are_ordered_by_number(older: str, newer: str) -> None:
    assert parse_release(older) < parse_release(newer)


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("2.6.35", "2.6.35.0"),
        ("2.6.35.14", "2.6.35.14"),
        ("3.10", "3.10.0"),
        ("4.19.300", "4.19.300"),
        ("6.18", "6.18.44"),
        ("6.18.0", "6.18.0"),
        ("6.1.0-18-amd64", "6.1.0"),
        ("5.15.0-91-generic", "5.15.0"),
        ("6.18.44-fc-v669", "6.18.44"),
        ("3.10.0-1160.el7.x86_64", "3.10.0"),
        ("2.6.32-754.el6.x86_64", "2.6.32.0"),
        ("6.6.87.2-microsoft-standard-WSL2", None),
        ("5.10.0+", "5.10.0"),
        (" 6.1\n", "6.1.0"),
    ],
)
def test_what_a_name_stands_for(name: str, means: str | None) -> None:
    if means is None:
        with pytest.raises(UnknownReleaseError):
            parse_release(name)
    else:
        assert str(parse_release(name)) == means


@pytest.mark.parametrize(
    ("name", "message", "nearest"),
    [
        ("2.6.17", "Linux 2.6.17 is not known", ("2.6.18",)),
        ("2.4.37", "Linux 2.4.37 is not known", ("2.6.18",)),
        ("2.6.40", "Linux 2.6.40 is not known", ("2.6.39", "3.0")),
        ("3.20", "Linux 3.20 is not known", ("3.19", "4.0")),
        ("5.20.1", "Linux 5.20.1 is not known", ("5.19", "6.0")),
        ("7.4", "Linux 7.4 is not known", ("7.3",)),
        ("99.0", "Linux 99.0 is not known", ("7.3",)),
        ("5.19-rc1", "'5.19-rc1' is a release candidate, which changes from day to day",
         ("5.18", "5.19")),
        ("", "'' is not the name of a kernel release", ("2.6.18", "7.3")),
        ("banana", "'banana' is not the name of a kernel release", ("2.6.18", "7.3")),
    ],
)  # fmt: skip
def test_unknown_releases_name_the_nearest(
    name: str, message: str, nearest: tuple[str, ...]
) -> None:
    with pytest.raises(UnknownReleaseError) as caught:
        profile_for(name)
    assert caught.value.nearest == nearest
    assert str(caught.value) == f"{message}; nearest: {', '.join(nearest)}"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "name", ["6", "2.6", "6.1.2.3", "2.6.18.1.2", "6.1x", "v6.1", "6..1", ".6.1", "6.1.", "6.1.²"]
)
def test_malformed_names_are_refused_with_a_suggestion(name: str) -> None:
    with pytest.raises(UnknownReleaseError, match="is not the name of a kernel release") as caught:
        parse_release(name)
    assert set(caught.value.nearest) <= set(SERIES)


def test_every_series_resolves() -> None:
    assert len(SERIES) == 22 + 20 + 21 + 20 + 20 + 4
    for series in SERIES:
        assert profile_for(series).release == series


# --- the table itself


def test_lines_stand_in_the_order_of_history() -> None:
    order = [parse_release(change.since) for change in CHANGES]
    assert order == sorted(order)


def test_lines_name_capabilities_and_known_series() -> None:
    assert set(FIRST_VALUES) <= set(CAPABILITIES)
    for change in CHANGES:
        assert change.capability in CAPABILITIES
        assert change.since in SERIES
        for series, patch in change.stable.items():
            assert SERIES.index(series) < SERIES.index(change.since), change
            assert patch > 0


def test_no_line_is_without_effect() -> None:
    for change in CHANGES:
        arch = {IA64: "ia64", None: "x86_64"}.get(change.only, "mips64")
        before = SERIES[SERIES.index(change.since) - 1]
        assert getattr(profile_for(before, arch=arch), change.capability) != change.value, change
        assert getattr(profile_for(change.since, arch=arch), change.capability) == change.value


def test_a_boundary_beside_an_unread_tree_is_inferred() -> None:
    read = {parse_release(tree).series for tree in TREES_READ}
    for change in CHANGES:
        before = SERIES[SERIES.index(change.since) - 1]
        if {before, change.since} - read:
            assert change.certainty is Certainty.INFERRED, change


# --- eras


def test_eras_can_be_told_apart_and_cover_every_release() -> None:
    rows = {
        tuple(getattr(era.profile, name) for name in CAPABILITIES): era.release for era in eras()
    }
    assert len(rows) == len(eras())
    for series in SERIES:
        profile = profile_for(series)
        assert tuple(getattr(profile, name) for name in CAPABILITIES) in rows


def test_releases_are_for_parametrisation() -> None:
    names = releases()
    assert names == tuple(era.release for era in eras())
    assert [parse_release(name) for name in names] == sorted(map(parse_release, names))
    assert {"2.6.18", "3.1", "6.14", "6.15", "6.18", "7.0", "7.3"} <= set(names)
    # What only padding tells apart is an era of machines that pad.
    assert "4.7" not in names
    assert "4.7" in releases("mips64")


def test_an_era_names_what_changed() -> None:
    changes = {era.release: [change.capability for change in era.changes] for era in eras()}
    assert changes["2.6.18"] == []
    assert changes["3.1"] == ["get_needs_admin", "io_rounding"]
    assert changes["6.14"] == ["taskstats_version", "skb_small_head_fits_gro", "newest_so"]
    assert changes["6.18.35"] == ["tgid_exit_version"]
    assert changes["7.3"] == ["getpolicy_dump_only_cmd", "cgroup_bad_fd_ebadf"]
