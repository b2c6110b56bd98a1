"""What a health check says: a status, and a reason per check."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """From best to worst."""

    OK = "ok"
    DEGRADED = "degraded"  # something is wrong, data still flows or the last good data stands
    DOWN = "down"  # nothing works


_BADNESS = list(Status)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: `redis`, `queue:high`, `tier:high`, `scheduler`, `provider:binance`, `data:quotes:crypto`, …
        status: how it is.
        reason: one sentence for people; says what is wrong, or the figures if nothing is.
        details: figures, JSON-able.
    """

    name: str
    status: Status
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health of the whole fleet.

    Args:
        status: the worst of the checks, except that only what stops everything makes it `down`.
        at: when it was made, Unix seconds.
        checks: all that was looked at.
    """

    status: Status
    at: float
    checks: Sequence[Check]

    @classmethod
    def of(cls, checks: Sequence[Check], at: float) -> "HealthReport":
        """A report whose status is the worst of its checks."""
        return cls(max((check.status for check in checks), key=_BADNESS.index, default=Status.OK), at, tuple(checks))

    @property
    def problems(self) -> list[str]:
        """`name: reason` of every check that is not ok."""
        return [f"{check.name}: {check.reason}" for check in self.checks if check.status is not Status.OK]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "status": self.status.value,
            "at": self.at,
            "problems": self.problems,
            "checks": [asdict(check) for check in self.checks],
        }
