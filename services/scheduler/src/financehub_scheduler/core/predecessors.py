"""What a follower knows about the schedule that it runs after, and why it may not run. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from financehub_shared.core.near_names import similar_names

#: Number of names that a message lists.
_LISTED = 8


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
    if similar := similar_names(name, known):
        hint = f"did you mean {' or '.join(similar)}?"
    elif known:
        more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
        hint = f"write one of {', '.join(known[:_LISTED])}{more}"
    else:
        hint = "add that schedule, or write schedule instead of after"
    return Predecessor("PredecessorMissing", f"{problem}; {hint}")


def in_cycle(cycle: tuple[str, ...], name: str) -> Predecessor:
    """Return what to say about a predecessor if the schedules follow each other in a circle.

    Args:
        cycle: `namespace/name` of the schedules, each the predecessor of the one before it.
        name: The schedule that is described.
    """
    at = cycle.index(name)
    names = [each.partition("/")[2] for each in (*cycle[at:], *cycle[:at], name)]
    shown = names if len(names) <= _LISTED else [*names[: _LISTED - 1], "…", name.partition("/")[2]]
    problem = f"after: {' runs after '.join(shown)}, so none of them can start"
    return Predecessor("PredecessorCycle", f"{problem}; give one of them a schedule instead of after")


def cycles_of(links: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the cycle of each schedule that is in one. A schedule that only follows a cycle is not in it.

    Args:
        links: `namespace/name` of each follower → that of its predecessor.
    """
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for start in links:
        path: list[str] = []
        name = start
        while name in links and name not in seen:
            seen.add(name)
            path.append(name)
            name = links[name]
        # Only a name of this path closes a cycle. One that an earlier path has seen belongs to that path.
        if name in path:
            cycle = tuple(path[path.index(name) :])
            found |= dict.fromkeys(cycle, cycle)
    return found
