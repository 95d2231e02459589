"""Builds the monitor once, and says what machine it is tested on."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def netlink_emu_defaults():
    return {"release": "5.10", "cpus": 4}


@pytest.fixture(scope="session")
def monitor(tmp_path_factory):
    program = tmp_path_factory.mktemp("build") / "monitor"
    source = Path(__file__).with_name("monitor.c")
    subprocess.run(["cc", "-Wall", "-Wextra", "-o", program, source], check=True)
    return program
