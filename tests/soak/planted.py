"""The bugs that `--planted` plants in the tier that records its runs, and how each must show.

tests/e2e/research/research/planted.py contains the bugs themselves.
"""

from collections.abc import Callable

from soak.report import Outcome
from soak.site import RECORDING_TIER


def _grows(*figures: str) -> Callable[[Outcome], bool]:
    """Return whether a process of the tier grows in one of some figures."""

    def is_found(outcome: Outcome) -> bool:
        return any(
            row.grows and row.subject.startswith(RECORDING_TIER) and row.figure in figures for row in outcome.rows
        )

    return is_found


def _keys_grow(outcome: Outcome) -> bool:
    return any(row.grows and row.figure == "research:leak:*" for row in outcome.rows)


def _is_lost(outcome: Outcome) -> bool:
    return any(finding.startswith("lost:") for finding in outcome.findings)


#: Name of the bug → whether a soak has found it.
BUGS: dict[str, Callable[[Outcome], bool]] = {
    "memory": _grows("rss", "pss"),
    "descriptors": _grows("descriptors"),
    "connections": _grows("sockets"),
    "threads": _grows("threads"),
    "series": _grows("series"),
    "keys": _keys_grow,
    "lost-run": _is_lost,
}


def not_found(outcome: Outcome) -> list[str]:
    """Return the names of the planted bugs that a soak has not found.

    Args:
        outcome: What the soak has shown.
    """
    return [name for name, is_found in BUGS.items() if not is_found(outcome)]
