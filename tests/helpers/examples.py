"""How Hypothesis draws its examples, for all tests.

How slow a machine is says nothing of what is tested: there are no deadlines, and no example is
too slow. Each run has the same examples, so that one that fails tells of a change; to look for
new ones: scripts/test --hypothesis-profile=searching
"""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

SUPPRESSED: Final = [HealthCheck.too_slow]
# For a test whose examples all use one fixture, a server for instance.
SHARING_A_FIXTURE: Final = [*SUPPRESSED, HealthCheck.function_scoped_fixture]


def settle() -> None:
    """Register the profiles, and choose the one that repeats itself."""
    unhurried = settings(deadline=None, suppress_health_check=SUPPRESSED)
    settings.register_profile("searching", unhurried)
    settings.register_profile("repeatable", unhurried, derandomize=True, database=None)
    settings.load_profile("repeatable")
