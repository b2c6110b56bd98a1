"""The steady load: many schedules with jitter, whose runs are spread evenly, and a thousand assets."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from e2e.conftest import RESEARCH_IMAGE, VALUES
from financehub_shared.recurrence.recurrence import jitter_offset
from financehub_simulator.universe import bench_coins, bench_stocks
from soak.site import RECORDING_TIER, REPLICAS, TIERS

PERIOD_SECONDS = 200
#: Prefix of the names of the schedules.
LOAD_PREFIX = "load-"
#: The jitter is drawn from the whole period, so the runs of all schedules are spread over it.
_SPEC: Mapping[str, Any] = {
    "task": "record_attempt",
    "queue": RECORDING_TIER,
    "schedule": f"@every {PERIOD_SECONDS}s",
    "jitterSeconds": PERIOD_SECONDS - 1,
    # Every due time runs, however long a fault lasts.
    "catchUp": "All",
    "concurrencyPolicy": "Allow",
}
_COINS, _STOCKS = 200, 800
#: Each schedule keeps the ids of its newest runs, so the memory of Redis grows until it has so many. The default of the
#: backlog is 100, which would take 5 hours; 10 is enough for an outage of half an hour.
KEPT_RUNS = 10


#: With fewer messages per second, none may be due in the seconds after a fault that show the recovery.
LEAST_RATE = 1.0


def rate(text: str) -> float:
    """Return the rate that an option names, in messages per second.

    Args:
        text: The value of the option.

    Raises:
        argparse.ArgumentTypeError: It is lower than the least rate, which still shows a recovery.
    """
    value = float(text)
    if not value >= LEAST_RATE:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST_RATE:g} message per second")
    return value


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a soak.

    Args:
        rate: Messages per second.
        assets: Number of assets; a fifth of them are coins.
    """

    rate: float = 50.0
    assets: int = _COINS + _STOCKS

    @property
    def schedules(self) -> int:
        """Number of schedules that send these messages."""
        return round(self.rate * PERIOD_SECONDS)

    def due_times(self, minutes: float) -> int:
        """Return the number of due times that a soak counts at least.

        Args:
            minutes: Duration of its faults.
        """
        return int(self.schedules * minutes * 60 / PERIOD_SECONDS)

    def tasks(self) -> Iterable[dict[str, Any]]:
        """Yield the ScheduledTasks."""
        for number in range(self.schedules):
            yield {
                "apiVersion": "financehub.io/v1alpha1",
                "kind": "ScheduledTask",
                "metadata": {"name": f"{LOAD_PREFIX}{number:05}"},
                "spec": dict(_SPEC),
            }

    def values(self, namespace: str, bugs: str = "") -> dict[str, Any]:
        """Return the values of the release.

        Args:
            namespace: Its namespace.
            bugs: Names of the bugs to plant in the tier that records, separated by commas.
        """
        coins, stocks = bench_coins(self.assets // 5), bench_stocks(self.assets - self.assets // 5)
        fixed = {"replicas": 2, "autoscaling": {"enabled": False}}
        recording = {
            **fixed,
            "image": RESEARCH_IMAGE,
            "module": f"{RECORDING_TIER}.worker",
            "threads": 4,
            "shutdownTimeoutSeconds": 20,
            "resources": {"requests": {"memory": "96Mi"}, "limits": {"memory": "320Mi"}},
            "extraEnv": [{"name": "RESEARCH_BUGS", "value": bugs}],
        }
        tiers = {name: {**fixed, "shutdownTimeoutSeconds": 20} for name in TIERS if name != RECORDING_TIER}
        return {
            **VALUES,
            "settings": {**VALUES["settings"], "FINANCEHUB_MAX_BACKLOG": KEPT_RUNS},
            "tiers": {**tiers, RECORDING_TIER: recording},
            "scheduler": {
                "replicas": REPLICAS["scheduler"],
                "namespaces": [namespace],
                "resources": {"limits": {"memory": "512Mi"}},
            },
            "redis": {**VALUES.get("redis", {}), "memory": "768Mi"},
            "assets": [
                *({"symbol": symbol, "type": "crypto"} for symbol in coins),
                *({"symbol": symbol, "type": "stock"} for symbol in stocks),
            ],
        }


def offset_of(uid: str) -> float:
    """Return the jitter of a schedule of the load in seconds.

    Args:
        uid: Its uid.
    """
    return jitter_offset(uid, PERIOD_SECONDS - 1)
