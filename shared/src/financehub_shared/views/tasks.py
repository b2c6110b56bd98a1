"""The view of a task of the catalog."""

from collections.abc import Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.core.catalog import TaskSpec
from financehub_shared.views.fields import Field


class TaskView(TypedDict):
    """One task of the catalog."""

    task: Annotated[str, Field(description="The name of the task.", examples=["fetch_crypto_prices_task"])]
    description: Annotated[str, Field(description="What the task does, in one sentence.")]
    queue: Annotated[str, Field(description="The queue of its messages.", examples=["high"])]
    schedule: Annotated[str, Field(description="Its default schedule.", examples=["@every 2m"])]
    period_seconds: Annotated[float, Field(description="The time in seconds between two runs of the default schedule.")]
    datasets: Annotated[list[str], Field(description="The datasets that it refreshes.", examples=[["quotes:crypto"]])]
    asset_type: Annotated[
        str | None,
        Field(description="The type of the assets that it works on. Null means all types, or no assets at all."),
    ]
    time_limit_seconds: Annotated[int, Field(description="The time in seconds after which a run is interrupted.")]
    max_age_seconds: Annotated[
        int | None,
        Field(description="The age in seconds beyond which a message is skipped. Null means that none is too old."),
    ]
    arguments: Annotated[
        Mapping[str, Any], Field(description="The JSON schema of its arguments, of which none is required.")
    ]


def task_view(spec: TaskSpec) -> TaskView:
    """Return the view of a task."""
    return {
        "task": spec.name,
        "description": spec.summary,
        "queue": spec.queue.value,
        "schedule": spec.schedule,
        "period_seconds": spec.period_seconds,
        "datasets": list(spec.datasets),
        "asset_type": None if spec.asset_type is None else spec.asset_type.value,
        "time_limit_seconds": spec.time_limit_seconds,
        "max_age_seconds": spec.max_age_seconds,
        "arguments": spec.arguments.model_json_schema(),
    }
