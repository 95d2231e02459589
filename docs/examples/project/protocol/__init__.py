"""What our monitor prints: the project's own package, which happens to be called protocol."""

from protocol.lines import Ended, parse

__all__ = ["Ended", "parse"]
