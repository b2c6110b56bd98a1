"""Figures that metrics, health reports and views share. They need no metrics library."""

from dataclasses import dataclass
from typing import Protocol


class QueueFigures(Protocol):
    """The queue statistics that the metrics need."""

    @property
    def queue(self) -> str: ...
    @property
    def ready(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def delayed(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def orphaned(self) -> int: ...
    @property
    def oldest_age_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """One budget of one upstream.

    Args:
        upstream: Name of the upstream.
        window: Length of the window, such as `60s`.
        used, limit: Number of units used, and the number allowed.
    """

    upstream: str
    window: str
    used: int
    limit: int
