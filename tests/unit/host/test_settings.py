"""The table [tool.netlink-emu] of a project's pyproject.toml."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.running.sandbox import build_sandbox
from netlink_emu.host.settings import Settings, SettingsError, find_settings

SPEC = Path(__file__).parents[2] / "data/specs/7.3/tcp_metrics.yaml"


def write(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_all_of_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[tool.netlink-emu]\nrelease = "6.1"\narch = "s390x"\ncpus = 3\n'
        'families = ["a/b.yaml"]\ncassettes = "tapes"\n',
    )
    expected = Settings("6.1", "s390x", 3, (tmp_path / "a/b.yaml",), "tapes")
    inner = tmp_path / "x" / "y"
    inner.mkdir(parents=True)
    assert find_settings(tmp_path) == find_settings(inner) == expected


@pytest.mark.parametrize("text", ["", "[project]\nname = 'netlink-emu-x'\n", "[tool.x]\na = 1\n"])
def test_none_of_it(tmp_path: Path, text: str) -> None:
    assert find_settings(write(tmp_path, text)) == Settings()


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    write(tmp_path, '[tool.netlink-emu]\nrelease = "6.1"\n')
    (tmp_path / "inner").mkdir()
    assert find_settings(write(tmp_path / "inner", "")) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("releases = '6.1'", "has no 'releases'; it has release, arch"),
        ("release = 6.1", "release takes a text, not 6.1"),
        ("cpus = 0", "cpus takes a number from 1 to 4096, not 0"),
        ("cpus = true", "cpus takes a number from 1 to 4096, not True"),
        ("families = ['x.py:F']", "families takes a list of YAML specs"),
        ("release = ", "pyproject.toml: "),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        find_settings(write(tmp_path, f"[tool.netlink-emu]\n{text}\n"))


def test_commands_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.yaml").write_bytes(SPEC.read_bytes())
    write(tmp_path, '[tool.netlink-emu]\nrelease = "6.1"\ncpus = 3\nfamilies = ["f.yaml"]\n')
    monkeypatch.chdir(tmp_path)
    sandbox = build_sandbox()
    assert sandbox.kernel.profile.release.startswith("6.1")
    assert len(sandbox.kernel.machine.cpus.possible) == 3
    assert [family.name for family in sandbox.families] == ["tcp_metrics"]
    assert build_sandbox(release="5.10").kernel.profile.release.startswith("5.10")
    write(tmp_path, "[tool.netlink-emu]\ncpus = 'many'\n")
    with pytest.raises(UserError, match="cpus takes a number"):
        build_sandbox()


def test_pytest_has_settings_of_the_same_names(request: pytest.FixtureRequest) -> None:
    page = (Path(__file__).parents[3] / "docs/reference-pytest.md").read_text()
    for field in fields(Settings):
        name = f"netlink_emu_{field.name}"
        request.config.getini(name)  # raises ValueError if there is none
        assert f"`{name}`" in page
