"""The view of a run with its timeline."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.monitor import RunRecord
from financehub_shared.monitor.run_state import ACTIVE, RunState
from financehub_shared.views.dead_letters import DeadLetterView, dead_letter_view
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.runs import RunView, run_view

#: Steps of a timeline in the order in which those of the same time are shown.
_ORDER = ("due", "enqueued", "attempt failed", "attempt started", *RunState)


class RunStepView(TypedDict):
    """One step of a run."""

    step: Annotated[
        str,
        Field(
            description="What happened: `due`, `enqueued`, `attempt failed`, `attempt started`, or the state in which "
            "the newest attempt ended.",
            examples=["attempt started"],
        ),
    ]
    at: Annotated[Time | None, Field(description="The time of the step.")]
    seconds: Annotated[
        float | None, Field(description="The time since the previous step in seconds. Null for the first step.")
    ]
    detail: Annotated[str, Field(description="The number of the attempt, or the error. Empty if there is none.")]


class RunDetailView(RunView):
    """One run with its timeline and its dead letter."""

    timeline: Annotated[
        list[RunStepView],
        Field(
            description="The known steps, oldest first. Only a dead letter knows the failed attempts before the newest "
            "one."
        ),
    ]
    dead_letter: Annotated[
        DeadLetterView | None,
        Field(
            description="The dead letter of the run, with its arguments and its traceback. Null if there is none, or "
            "if it was deleted or requeued."
        ),
    ]


def run_detail_view(run: RunRecord, letter: DeadLetter | None = None) -> RunDetailView:
    """Return the view of a run with its timeline and its dead letter.

    Args:
        run: The run.
        letter: The dead letter with the id `run.redis_id`, if there is one.
    """
    own = letter if letter is not None and letter.message_id == run.message_id else None
    return {
        **run_view(run),
        "timeline": run_timeline(run, own),
        "dead_letter": dead_letter_view(own) if own else None,
    }


def run_timeline(run: RunRecord, letter: DeadLetter | None = None) -> list[RunStepView]:
    """Return the views of the known steps of a run, oldest first.

    Args:
        run: The run.
        letter: Its dead letter, whose failures are the attempts that failed.
    """
    known: list[tuple[float | None, str, str]] = [(run.due_at, "due", ""), (run.enqueued_at, "enqueued", "")]
    failures = letter.failures if letter else ()
    known += [
        (each["at"], "attempt failed", ": ".join(filter(None, (each["exception"], each["error"])))) for each in failures
    ]
    known.append((run.started_at, "attempt started", f"attempt {max(1, run.attempts)}"))
    # The end of an earlier attempt remains in the record while the newest one runs.
    if run.state is not RunState.RUNNING and run.finished_at is not None:
        known.append((run.finished_at, _end_step(run), run.error))
    steps = sorted((at, _ORDER.index(step), detail) for at, step, detail in known if at is not None)
    return [
        {
            "step": _ORDER[step],
            "at": iso_time(at),
            "seconds": None if number == 0 else round(at - steps[number - 1][0], 3),
            "detail": detail,
        }
        for number, (at, step, detail) in enumerate(steps)
    ]


def _end_step(run: RunRecord) -> str:
    """Return the step with which the newest attempt ended."""
    return "attempt failed" if run.state in ACTIVE else run.state.value
