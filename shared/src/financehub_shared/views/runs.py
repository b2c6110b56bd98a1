"""The view of a run."""

from collections.abc import Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.monitor import RunRecord
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class RunView(TypedDict):
    """One run of a task: one message with all of its attempts."""

    message_id: Annotated[str, Field(description="The id of the run, which is the id of its message.")]
    task: Annotated[str, Field(description="The name of the task.", examples=["fetch_crypto_prices_task"])]
    queue: Annotated[str, Field(description="The name of the queue of the message.", examples=["high"])]
    state: Annotated[
        str,
        Field(
            description="The state: `queued`, `running`, `retrying`, `succeeded`, `skipped`, `dead-lettered` or `lost`."
        ),
    ]
    schedule: Annotated[
        str,
        Field(
            description="The name of the schedule that enqueued the run, as `namespace/name`. Empty if a user started "
            "the run."
        ),
    ]
    schedule_uid: Annotated[str, Field(description="The uid of that schedule. Empty if a user started the run.")]
    due_at: Annotated[
        Time | None, Field(description="The due time of the run. Null if it was not enqueued for a due time.")
    ]
    enqueued_at: Annotated[Time | None, Field(description="The time at which the first attempt became ready.")]
    started_at: Annotated[
        Time | None, Field(description="The start of the newest attempt. Null if no attempt has started.")
    ]
    finished_at: Annotated[
        Time | None, Field(description="The end of the newest attempt. Null if no attempt has ended.")
    ]
    duration: Annotated[
        float | None, Field(description="The duration of the newest attempt in seconds. Null if no attempt has ended.")
    ]
    attempts: Annotated[int, Field(description="The number of attempts so far.")]
    worker: Annotated[
        str, Field(description="The id of the process that ran the newest attempt. Empty if no attempt has started.")
    ]
    error: Annotated[str, Field(description="The error of the newest attempt in one line. Empty if there was none.")]
    summary: Annotated[
        Mapping[str, Any] | None,
        Field(
            description="The result of the task: how much was requested and stored, what is missing and why, and which "
            "providers delivered. Null if the task returned none."
        ),
    ]
    correlation_id: Annotated[str, Field(description="The id that all log lines of the run share.")]


def run_view(run: RunRecord) -> RunView:
    """Return the view of a run."""
    return {
        "message_id": run.message_id,
        "task": run.task,
        "queue": run.queue,
        "state": run.state.value,
        "schedule": run.schedule,
        "schedule_uid": run.schedule_uid,
        "due_at": iso_time(run.due_at),
        "enqueued_at": iso_time(run.enqueued_at),
        "started_at": iso_time(run.started_at),
        "finished_at": iso_time(run.finished_at),
        "duration": run.duration,
        "attempts": run.attempts,
        "worker": run.worker,
        "error": run.error,
        "summary": run.summary,
        "correlation_id": run.correlation_id,
    }
