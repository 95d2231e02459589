"""A kernel's configuration from text: ``nr_cpus=64``, ``task_delayacct=on``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from netlink_emu.kernel.profile import KernelConfig

_SWITCH: Final = {"on": True, "yes": True, "true": True, "1": True,
                  "off": False, "no": False, "false": False, "0": False}  # fmt: skip
_DEFAULTS: Final = KernelConfig()
KEYS: Final[tuple[str, ...]] = tuple(field.name for field in dataclasses.fields(KernelConfig))


class ConfigError(ValueError):
    """What is wrong with a setting, in a sentence."""


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """The members of KernelConfig that these ``key=value`` texts set; the last of a key wins.

    Raises ConfigError.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip().lower()
        if not equals:
            raise ConfigError(f"{setting!r} is not of the form key=value")
        values[key] = _value(key, text.strip())
    return values


def _value(key: str, text: str) -> bool | int:
    if key not in KEYS:
        raise ConfigError(f"a kernel has no {key!r} to configure; it has {', '.join(KEYS)}")
    if isinstance(getattr(_DEFAULTS, key), bool | None):
        if text.lower() not in _SWITCH:
            raise ConfigError(f"{key} is on or off, not {text!r}")
        return _SWITCH[text.lower()]
    try:
        return int(text, 0)
    except ValueError:
        raise ConfigError(f"{key} is a number, not {text!r}") from None


def configure(values: Mapping[str, Any], base: KernelConfig | None = None) -> KernelConfig:
    """``base`` (by default the defaults) with some members set; raises ConfigError."""
    try:
        return dataclasses.replace(_DEFAULTS if base is None else base, **values)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
