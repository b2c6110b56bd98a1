"""Shortens a failing scenario while it still fails in the same way."""

import re
from collections.abc import Callable, Sequence

from simulation.events import Event

_NUMBERS = re.compile(r"[0-9]+|\[[^\]]*\]|\{[^}]*\}|'[^']*'|/s\d")


def kind_of(failure: str) -> str:
    """Return what failures of one kind have in common: their text without numbers and names."""
    first = failure.strip().splitlines()[-1] if failure.startswith("Traceback") else failure
    return _NUMBERS.sub("", first)[:60]


def shrink(events: Sequence[Event], fails: Callable[[Sequence[Event]], str], limit: int = 400) -> list[Event]:
    """Return a shorter scenario that fails in the same way.

    Args:
        events: The scenario.
        fails: Plays a scenario, and returns what is wrong.
        limit: Maximum number of scenarios to play.
    """
    current, left = list(events), limit
    kind = kind_of(fails(current))

    def still_fails(candidate: Sequence[Event]) -> bool:
        nonlocal left
        left -= 1
        return kind_of(fails(candidate)) == kind

    size = max(1, len(current) // 2)
    while size and left > 0:
        at, removed = 0, False
        while at < len(current) and left > 0:
            candidate = current[:at] + current[at + size :]
            if candidate and still_fails(candidate):
                current, removed = candidate, True
            else:
                at += size
        if not removed or size > 1:
            size //= 2
    for at in range(len(current)):
        for simpler in _simpler(current[at]):
            candidate = [*current[:at], simpler, *current[at + 1 :]]
            if left > 0 and still_fails(candidate):
                current = candidate
    return current


def _simpler(event: Event) -> list[Event]:
    """Return simpler events that may do as well, the simplest last."""
    match event:
        case ("run", length, profile, seed):
            calm = [("run", length, "calm", 0)] if profile != "calm" or seed else []
            return [*calm, *(("run", each, profile, seed) for each in (length // 2, length // 4) if each)]
        case ("write", schedule, dict() as spec):
            needed = {"schedule", "after"}
            return [
                ("write", schedule, {name: value for name, value in spec.items() if name != field})
                for field in spec
                if field not in needed
            ]
        case _:
            return []
