"""The view of a run with its timeline."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from typing_extensions import TypedDict

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.monitor import RunRecord
from financehub_shared.monitor.run_arguments import RunArguments
from financehub_shared.monitor.run_state import ACTIVE, RunState
from financehub_shared.views.dead_letters import DeadLetterView, dead_letter_view
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.runs import RunView, run_view


class _Step(NamedTuple):
    """One step of a run, which is not shown if its time is None."""

    at: float | None
    name: str
    detail: str = ""


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


class RunArgumentsView(TypedDict):
    """The arguments of a run."""

    args: Annotated[list[Any], Field(description="The positional arguments.")]
    kwargs: Annotated[Mapping[str, Any], Field(description="The keyword arguments.", examples=[{"dry_run": True}])]
    problem: Annotated[
        str,
        Field(
            description="Why the run cannot be started again with them: they were too long to store, or contain masked "
            "secrets. Empty if it can."
        ),
    ]


class RunDetailView(RunView):
    """One run with its arguments, its timeline and its dead letter."""

    arguments: Annotated[
        RunArgumentsView | None,
        Field(
            description="The arguments of the run. Null if they are not known, as before the run of a schedule starts."
        ),
    ]
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
    """Return the view of a run with its arguments, its timeline and its dead letter.

    Args:
        run: The run.
        letter: The dead letter with the id `run.redis_id`, if there is one.
    """
    own = letter if letter is not None and letter.message_id == run.message_id else None
    return {
        **run_view(run),
        "arguments": run_arguments_view(run.arguments),
        "timeline": run_timeline(run, own),
        "dead_letter": dead_letter_view(own) if own else None,
    }


def run_arguments_view(arguments: RunArguments | None) -> RunArgumentsView | None:
    """Return the view of the arguments of a run."""
    if arguments is None:
        return None
    return {"args": list(arguments.args), "kwargs": dict(arguments.kwargs), "problem": arguments.problem}


def run_timeline(run: RunRecord, letter: DeadLetter | None = None) -> list[RunStepView]:
    """Return the views of the known steps of a run, oldest first.

    Args:
        run: The run.
        letter: Its dead letter, whose failures are the attempts that failed.
    """
    failures = [_failure(failure) for failure in letter.failures] if letter else []
    # Without as many failures as attempts, the newest attempt ended in another way, such as too old.
    earlier = failures[: max(0, run.attempts - 1)]
    known = [_Step(run.due_at, "due"), _Step(run.enqueued_at, "enqueued"), *earlier]
    known.append(_Step(run.started_at, "attempt started", f"attempt {max(1, run.attempts)}"))
    known += failures[len(earlier) :]
    # The end of an earlier attempt remains in the record while the newest one runs.
    if run.state is not RunState.RUNNING:
        state = "attempt failed" if run.state in ACTIVE else run.state.value
        known.append(_Step(run.finished_at, state, run.error))
    views: list[RunStepView] = []
    previous: float | None = None
    for step in known:
        if step.at is not None:
            # The clocks of two machines, and times that are rounded to milliseconds, can differ a little.
            seconds = None if previous is None else max(0.0, round(step.at - previous, 3))
            views.append({"step": step.name, "at": iso_time(step.at), "seconds": seconds, "detail": step.detail})
            previous = step.at
    return views


def _failure(failure: Mapping[str, Any]) -> _Step:
    """Return the step of an attempt that failed."""
    return _Step(failure["at"], "attempt failed", ": ".join(filter(None, (failure["exception"], failure["error"]))))
