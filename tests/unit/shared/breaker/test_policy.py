"""The policy that settings describe."""

import pytest

from financehub_shared.breaker import Policy
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings


def test_the_defaults_of_settings_and_policy_agree():
    """A policy made without settings is the one that the default settings describe."""
    assert Policy.from_settings(load_settings({})) == Policy()


def test_settings_reach_the_policy():
    """Seconds become milliseconds, field by field."""
    environment = {
        "FINANCEHUB_BREAKER_WINDOW_SECONDS": "120",
        "FINANCEHUB_BREAKER_MINIMUM_CALLS": "3",
        "FINANCEHUB_BREAKER_FAILURE_RATIO": "0.25",
        "FINANCEHUB_BREAKER_OPEN_SECONDS": "1.5",
        "FINANCEHUB_BREAKER_OPEN_MAX_SECONDS": "60",
        "FINANCEHUB_BREAKER_SLOW_SECONDS": "4",
        "FINANCEHUB_BREAKER_PROBE_SECONDS": "9",
    }
    policy = Policy.from_settings(load_settings(environment))
    assert policy == Policy(120_000, 3, 0.25, 1_500, 60_000, 9_000, 4_000)
    assert policy.window_calls == 12


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SLOW", "31", "PROBE_SECONDS=30: must be at least FINANCEHUB_BREAKER_SLOW_SECONDS=31"),
        ("OPEN_MAX", "29", "OPEN_MAX_SECONDS=29: must be at least FINANCEHUB_BREAKER_OPEN_SECONDS=30"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(variable: str, value: str, message: str):
    """The error names both variables, their values and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Policy.from_settings(load_settings({f"FINANCEHUB_BREAKER_{variable}_SECONDS": value}))
    assert str(caught.value) == f"FINANCEHUB_BREAKER_{message}"
