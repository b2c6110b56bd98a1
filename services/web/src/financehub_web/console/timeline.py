"""Divides the time of a run into the phases between its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from financehub_shared.views.run_details import RunStepView
from financehub_web.console.filters import seconds

#: Smallest part of the chart that a phase takes, so that a short one can be seen.
_SMALLEST = 0.6
_WIDTH = 100.0
#: What a run waits for after a step that is not the start of an attempt.
_WAITS = {
    "due": "until it was enqueued",
    "enqueued": "until the attempt started",
    "attempt failed": "until the next attempt started",
}

Kind = Literal["wait", "ran", "failed", "both"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run.

    Args:
        name: What happened.
        detail: The number of the attempt, or the error.
        at: Time in Unix seconds.
        after: Seconds since the previous step; None for the first one.
        elapsed: Seconds since the first step.
    """

    name: str
    detail: str
    at: float
    after: float | None
    elapsed: float


@dataclass(frozen=True, slots=True)
class Phase:
    """The time between two steps.

    Args:
        name: What the run did.
        kind: Whether it waited, ran, ran and failed, or both waited and ran.
        length: Seconds.
        x, width: Place of its bar in the chart, of which the whole is 100.
    """

    name: str
    kind: Kind
    length: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps of a run and the phases between them.

    Args:
        steps: The steps, oldest first.
        phases: The phases, oldest first.
        total: Seconds from the first step to the last one.
    """

    steps: Sequence[Step]
    phases: Sequence[Phase]
    total: float


def timeline_of(views: Sequence[RunStepView]) -> Timeline:
    """Return the timeline of a run.

    Args:
        views: The views of its steps, oldest first.
    """
    steps: list[Step] = []
    for view in views:
        at = seconds(view["at"])
        if at is not None:
            after = max(0.0, at - steps[-1].at) if steps else None
            elapsed = steps[-1].elapsed + (after or 0.0) if steps else 0.0
            steps.append(Step(view["step"], view["detail"], at, after, elapsed))
    spans = [
        (*_describe(start, end, steps[: number + 2]), end.elapsed - start.elapsed)
        for number, (start, end) in enumerate(pairwise(steps))
        if not _is_the_end(start, end)
    ]
    total = sum(length for _, _, length in spans)
    widths = [max(_SMALLEST, _WIDTH * length / total if total else 0.0) for _, _, length in spans]
    scale = _WIDTH / (sum(widths) or 1.0)
    phases: list[Phase] = []
    x = 0.0
    for (name, kind, length), width in zip(spans, widths, strict=True):
        phases.append(Phase(name, kind, length, x, width * scale))
        x += width * scale
    return Timeline(steps, phases, total)


def _is_the_end(start: Step, end: Step) -> bool:
    """Whether nothing happens between two steps: the newest attempt failed, and so did the run."""
    return start.name == "attempt failed" and not end.name.startswith("attempt")


def _describe(start: Step, end: Step, steps: Sequence[Step]) -> tuple[str, Kind]:
    """Return the name and the kind of the phase between two steps.

    Args:
        start: The first of them.
        end: The second of them.
        steps: All steps up to the second one.
    """
    if start.name == "attempt started":
        has_failed = end.name in {"attempt failed", "dead-lettered", "lost"}
        return f"in {start.detail or 'the attempt'}", "failed" if has_failed else "ran"
    if end.name == "attempt failed":
        number = sum(step.name == "attempt failed" for step in steps)
        return f"until attempt {number} failed", "both"
    return _WAITS.get(start.name, "until the end"), "wait"
