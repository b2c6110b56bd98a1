"""What a follower knows about the schedule that it runs after, and why it may not run. Pure functions."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from financehub_shared.core.near_names import similar_names

#: Number of names that a message lists.
_LISTED = 8
#: Number of names that are compared in full with a misspelled one, which takes about 10 ms.
_COMPARED = 200


@dataclass(frozen=True, slots=True)
class Predecessor:
    """What a follower knows about its predecessor, which is the schedule that `spec.after` names.

    Args:
        reason: Reason of the condition Ready if the follower does not run, such as `PredecessorMissing`; empty if it
            runs.
        problem: The same in words, with the fix.
        note: Why no success is to be expected although the follower is ready, such as `it is suspended`; empty if
            one may come.
    """

    reason: str = ""
    problem: str = ""
    note: str = ""


def missing(after: str, names: Iterable[str]) -> Predecessor:
    """Return what to say about a predecessor that does not exist.

    Args:
        after: `namespace/name` of the predecessor.
        names: `namespace/name` of the schedules that the user may have meant.
    """
    namespace, _, name = after.partition("/")
    known = sorted(each.partition("/")[2] for each in names if each.partition("/")[0] == namespace)
    problem = f"after: no schedule in the namespace {namespace} has the name {name!r}"
    if similar := similar_names(name, _candidates(name, known)):
        hint = f"did you mean {' or '.join(similar)}?"
    elif known:
        more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
        hint = f"write one of {', '.join(known[:_LISTED])}{more}"
    else:
        hint = "add that schedule, or write schedule instead of after"
    return Predecessor("PredecessorMissing", f"{problem}; {hint}")


def without_hint(after: str) -> Predecessor:
    """Return what to say about a predecessor that does not exist, before similar names were looked for.

    Args:
        after: `namespace/name` of the predecessor.
    """
    return missing(after, ())


def _candidates(name: str, known: list[str]) -> list[str]:
    """Return the names that begin and end most like a misspelled one. Comparing thousands in full takes a second."""
    if len(known) <= _COMPARED:
        return known

    return heapq.nlargest(_COMPARED, known, key=lambda other: _shared(name, other) + _shared(name[::-1], other[::-1]))


def _shared(first: str, second: str) -> int:
    """Return the number of equal characters at the beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def in_cycle(cycle: tuple[str, ...], name: str) -> Predecessor:
    """Return what to say about a predecessor if the schedules follow each other in a circle.

    Args:
        cycle: `namespace/name` of the schedules, each the predecessor of the one before it.
        name: The schedule that is described.
    """
    return _in_cycle_at(cycle, cycle.index(name))


def _in_cycle_at(cycle: tuple[str, ...], at: int) -> Predecessor:
    shown = [cycle[(at + step) % len(cycle)].partition("/")[2] for step in range(min(len(cycle), _LISTED) + 1)]
    if len(cycle) >= _LISTED:
        shown[_LISTED - 1 :] = ["…", shown[0]]
    problem = f"after: {' runs after '.join(shown)}, so none of them can start"
    return Predecessor("PredecessorCycle", f"{problem}; give one of them a schedule instead of after")


def circular(links: Mapping[str, str]) -> dict[str, Predecessor]:
    """Return what to say about the predecessor of each schedule that is in a circle.

    Args:
        links: `namespace/name` of each follower → that of its predecessor.
    """
    cycles = {id(cycle): cycle for cycle in cycles_of(links).values()}
    return {name: _in_cycle_at(cycle, at) for cycle in cycles.values() for at, name in enumerate(cycle)}


def cycles_of(links: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the cycle of each schedule that is in one. A schedule that only follows a cycle is not in it.

    Args:
        links: `namespace/name` of each follower → that of its predecessor.
    """
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for start in links:
        path: dict[str, int] = {}
        name = start
        while name in links and name not in seen:
            seen.add(name)
            path[name] = len(path)
            name = links[name]
        # Only a name of this path closes a cycle. One that an earlier path has seen belongs to that path.
        if name in path:
            cycle = tuple(path)[path[name] :]
            found |= dict.fromkeys(cycle, cycle)
    return found
