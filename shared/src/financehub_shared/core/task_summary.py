"""The summary that a task returns. It is the actor's return value and part of its log line and run record."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """Summary of one run.

    The items are symbols, sources or records. For the health task, they are its checks: `requested` counts all of them,
    `stored` counts those that are ok, and `missing` holds the reasons for the others.

    Args:
        requested: Number of items that the run should process.
        stored: Number of items that were stored or done.
        missing: Item → the reason why it is missing (`not-found`, `quota`, …), at most `MISSING_SHOWN` entries.
        missing_count: Number of missing items in total.
        providers: Provider → number of items that it delivered.
        details: Additional statistics from the task, which can be serialized as JSON.
    """

    MISSING_SHOWN: ClassVar[int] = 50

    requested: int
    stored: int
    missing: Mapping[str, str] = field(default_factory=dict)
    missing_count: int = 0
    providers: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as a dictionary that can be serialized as JSON."""
        return asdict(self)
