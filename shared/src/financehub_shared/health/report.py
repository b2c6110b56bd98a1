"""The health report: one check per topic, and the fleet's status."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from financehub_shared.core.release import release_version


class HealthStatus(StrEnum):
    """The status of a check or of the fleet, from best to worst."""

    OK = "ok"
    DEGRADED = "degraded"  # something does not work, but data still arrives or the last good data is served
    DOWN = "down"  # nothing works


_SEVERITY = list(HealthStatus)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The result of one check.

    Args:
        name: `redis`, `queue:high`, `tier:high`, `scheduler`, `provider:binance`, `data:quotes:crypto`, …
        status: The result.
        reason: One sentence for people: the problem, or statistics if there is none.
        details: Statistics, which can be serialized as JSON.
    """

    name: str
    status: HealthStatus
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health of the whole fleet.

    Args:
        status: The worst status of the checks. Only a fault that stops everything makes it `down`.
        at: Time of the report in Unix seconds.
        checks: All checks.
    """

    status: HealthStatus
    at: float
    checks: Sequence[HealthCheck]

    @classmethod
    def of(cls, checks: Sequence[HealthCheck], at: float) -> "HealthReport":
        """Build a report whose status is the worst status of its checks."""
        worst = max((check.status for check in checks), key=_SEVERITY.index, default=HealthStatus.OK)
        return cls(worst, at, tuple(checks))

    @property
    def problems(self) -> list[str]:
        """`name: reason` of every check that is not ok."""
        return [f"{check.name}: {check.reason}" for check in self.checks if check.status is not HealthStatus.OK]

    def as_dict(self) -> dict[str, Any]:
        """Return the report, with the release of the process that made it, so that it can be serialized as JSON."""
        return {
            "status": self.status.value,
            "version": release_version(),
            "at": self.at,
            "problems": self.problems,
            "checks": [asdict(check) for check in self.checks],
        }
