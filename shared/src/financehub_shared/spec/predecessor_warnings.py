"""Warns of documents that run after schedules which are missing, or after themselves in a circle."""

from collections.abc import Mapping
from dataclasses import replace

from financehub_shared.spec.inspection import Inspection
from financehub_shared.spec.predecessors import Predecessor, circular, missing


def warn_of_predecessors(inspections: list[Inspection]) -> list[Inspection]:
    """Add a warning to each document whose predecessor is in none of them, or that follows itself through others.

    The predecessor of a single document is not looked for.

    Args:
        inspections: All documents that a scheduler would read.
    """
    names = {each.name for each in inspections if each.name}
    circles = circular({each.name: each.after for each in inspections if each.after})
    found = []
    for each in inspections:
        warning = _warning(each, names, circles) if each.after else ""
        found.append(replace(each, warnings=(*each.warnings, warning)) if warning else each)
    return found


def _warning(follower: Inspection, names: set[str], circles: Mapping[str, Predecessor]) -> str:
    if in_circle := circles.get(follower.name):
        return in_circle.problem
    # A document that is checked alone follows one that is elsewhere.
    if follower.after in names or names == {follower.name}:
        return ""
    # The scheduler may have it from elsewhere.
    return f"{missing(follower.after, names - {follower.name}).problem} (only these files were searched)"
