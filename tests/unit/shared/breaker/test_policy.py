"""The breaker policy that the settings define."""

import pytest

from financehub_shared.breaker import BreakerPolicy
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings


def test_policy_defaults_equal_those_of_the_settings():
    """A policy created without arguments equals the one that the default settings define."""
    assert BreakerPolicy.from_settings(load_settings({})) == BreakerPolicy()


def test_policy_from_settings_converts_every_field():
    """Every setting reaches its field, and seconds become milliseconds."""
    environment = {
        "FINANCEHUB_BREAKER_WINDOW_SECONDS": "120",
        "FINANCEHUB_BREAKER_MINIMUM_CALLS": "3",
        "FINANCEHUB_BREAKER_FAILURE_RATIO": "0.25",
        "FINANCEHUB_BREAKER_OPEN_SECONDS": "1.5",
        "FINANCEHUB_BREAKER_OPEN_MAX_SECONDS": "60",
        "FINANCEHUB_BREAKER_SLOW_SECONDS": "4",
        "FINANCEHUB_BREAKER_PROBE_SECONDS": "9",
    }
    policy = BreakerPolicy.from_settings(load_settings(environment))
    assert policy == BreakerPolicy(120_000, 3, 0.25, 1_500, 60_000, 9_000, 4_000)
    assert policy.window_calls == 12


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SLOW", "31", "PROBE_SECONDS=30: must be at least FINANCEHUB_BREAKER_SLOW_SECONDS=31"),
        ("OPEN_MAX", "29", "OPEN_MAX_SECONDS=29: must be at least FINANCEHUB_BREAKER_OPEN_SECONDS=30"),
    ],
)
def test_policy_from_contradicting_settings_is_refused(variable: str, value: str, message: str):
    """The error names both variables, their values and the allowed values."""
    with pytest.raises(ConfigError) as caught:
        BreakerPolicy.from_settings(load_settings({f"FINANCEHUB_BREAKER_{variable}_SECONDS": value}))
    assert str(caught.value) == f"FINANCEHUB_BREAKER_{message}"
