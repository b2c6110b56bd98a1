"""The circuit breaker policy: when a breaker opens, and for how long."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from financehub_shared.core import setting_defaults as defaults
from financehub_shared.core.errors import ConfigError

if TYPE_CHECKING:  # the command line lists breakers without the settings library
    from financehub_shared.core.settings import Settings

#: Maximum number of calls in the window. More calls add no information about an upstream, and the window must stay
#: small in Redis.
WINDOW_CALLS_MAX = 100


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Decides when a breaker opens and for how long. Durations are in milliseconds. The defaults match the settings.

    Args:
        window_ms: Age at which a call no longer counts.
        minimum_calls: Number of calls in the window below which the breaker stays closed.
        failure_ratio: Share of failed calls in the window at which the breaker opens, between 0 and 1.
        open_ms: First open time. It doubles each time the breaker opens again soon after it closed.
        open_max_ms: Longest open time.
        probe_ms: Lease of a probe. When it ends, the probing process counts as dead and another process may probe.
        slow_ms: Duration above which a call counts as failed. It must not exceed `probe_ms`. Otherwise every probe
            could end after its lease, and the upstream would never be considered healthy again.
    """

    window_ms: int = defaults.BREAKER_WINDOW_SECONDS * 1_000
    minimum_calls: int = defaults.BREAKER_MINIMUM_CALLS
    failure_ratio: float = defaults.BREAKER_FAILURE_RATIO
    open_ms: int = defaults.BREAKER_OPEN_SECONDS * 1_000
    open_max_ms: int = defaults.BREAKER_OPEN_MAX_SECONDS * 1_000
    probe_ms: int = defaults.BREAKER_PROBE_SECONDS * 1_000
    slow_ms: int = defaults.BREAKER_SLOW_SECONDS * 1_000

    @property
    def window_calls(self) -> int:
        """Maximum number of calls in the window, small enough that `minimum_calls` failures always open the breaker."""
        calls = math.floor(self.minimum_calls / self.failure_ratio)
        if self.minimum_calls / calls < self.failure_ratio:  # the division above was rounded up
            calls -= 1
        return max(self.minimum_calls, min(calls, WINDOW_CALLS_MAX))

    @classmethod
    def from_settings(cls, settings: "Settings") -> "BreakerPolicy":
        """Create the policy from the `breaker_*` settings.

        Raises:
            ConfigError: Two of the settings contradict each other.
        """
        from financehub_shared.core.settings import PREFIX

        for smaller, larger in (
            ("breaker_slow_seconds", "breaker_probe_seconds"),
            ("breaker_open_seconds", "breaker_open_max_seconds"),
        ):
            minimum, value = getattr(settings, smaller), getattr(settings, larger)
            if value < minimum:
                names = f"{PREFIX}{larger.upper()}={value:g}", f"{PREFIX}{smaller.upper()}={minimum:g}"
                raise ConfigError(f"{names[0]}: must be at least {names[1]}")
        return cls(
            window_ms=round(settings.breaker_window_seconds * 1000),
            minimum_calls=settings.breaker_minimum_calls,
            failure_ratio=settings.breaker_failure_ratio,
            open_ms=round(settings.breaker_open_seconds * 1000),
            open_max_ms=round(settings.breaker_open_max_seconds * 1000),
            probe_ms=round(settings.breaker_probe_seconds * 1000),
            slow_ms=round(settings.breaker_slow_seconds * 1000),
        )
