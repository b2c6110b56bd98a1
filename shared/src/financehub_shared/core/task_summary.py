"""What a task says of its run: the actor's return value, its log line and the monitor's record."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """Summary of one run.

    Args:
        asked: how many things (symbols, sources, records) the run was about.
        stored: how many of them are now stored or done.
        missing: thing → why not (`not-found`, `quota`, …), at most `MISSING_SHOWN` of them.
        missing_count: how many are missing in all.
        providers: provider → how many things it delivered.
        details: further figures of the task, JSON-able.
    """

    MISSING_SHOWN: ClassVar[int] = 50

    asked: int
    stored: int
    missing: Mapping[str, str] = field(default_factory=dict)
    missing_count: int = 0
    providers: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)
