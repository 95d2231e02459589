"""protocol/ is netlink_emu.protocol, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import netlink_emu.protocol


def test_it_refuses_another_name() -> None:
    """A second copy would have its own enums and errors, equal to none of the first."""
    path = Path(netlink_emu.protocol.__path__[0]) / "__init__.py"
    spec = importlib.util.spec_from_file_location("protocol", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(ImportError, match=r"these modules are netlink_emu\.protocol") as caught:
        spec.loader.exec_module(module)
    assert caught.value.name == "protocol"
