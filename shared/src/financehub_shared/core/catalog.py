"""The catalogue of the seven tasks: the one place their names, queues, schedules, limits and arguments are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.models import AssetType

#: Canonical symbols: `BTC-USD`, `AAPL`, `VOD.L`, `^GSPC`.
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9.^=-]{0,19}$")]


class Tier(StrEnum):
    """Priority tiers; each is a queue, an image and a Deployment of its own."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


#: Seconds within which a message of a tier should start, before users notice: half a period of its shortest task.
WAIT_TARGETS: Mapping[str, float] = {Tier.HIGH: 60, Tier.MEDIUM: 900, Tier.LOW: 1_800}
#: For queues that users add.
OTHER_WAIT_TARGET = 900.0


def wait_target(queue: str) -> float:
    """Seconds within which a message of a queue should start.

    Args:
        queue: its name; one that is not a built-in tier's has the target of all such queues.
    """
    return WAIT_TARGETS.get(queue, OTHER_WAIT_TARGET)


class NoArguments(BaseModel):
    """Arguments of a task that takes none."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SymbolArguments(NoArguments):
    """Arguments of a task that can be narrowed to some assets."""

    symbols: list[Symbol] | None = Field(default=None, min_length=1, max_length=10_000)


class NewsArguments(NoArguments):
    """Arguments of the news task: narrow it to some sources by name."""

    sources: list[str] | None = Field(default=None, min_length=1, max_length=100)


class CleanupArguments(NoArguments):
    """Arguments of the clean-up tasks."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task of the catalogue.

    Args:
        name: actor name, also the name on the wire.
        queue: the tier's queue.
        schedule: default schedule, as `ScheduledTask.spec.schedule` takes it.
        summary: one line for people.
        arguments: model of the keyword arguments.
        asset_type: the type of the assets it works on; None: all types, or none at all.
        time_limit_seconds: a run longer than this is interrupted; upstream calls get a deadline below it.
        max_age_seconds: a message older than this when it starts is skipped, the next run is due anyway; None: never.
    """

    name: str
    queue: Tier
    schedule: str
    summary: str
    arguments: type[BaseModel] = NoArguments
    asset_type: AssetType | None = None
    time_limit_seconds: int = 300
    max_age_seconds: int | None = None


CATALOG: Mapping[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(
            "fetch_crypto_prices_task",
            Tier.HIGH,
            "@every 2m",
            "Quotes of every active crypto asset",
            SymbolArguments,
            AssetType.CRYPTO,
            time_limit_seconds=90,
            max_age_seconds=600,
        ),
        TaskSpec(
            "fetch_stock_prices_task",
            Tier.HIGH,
            "@every 5m",
            "Quotes of every active stock asset",
            SymbolArguments,
            AssetType.STOCK,
            time_limit_seconds=180,
            max_age_seconds=1_500,
        ),
        TaskSpec(
            "fetch_news_task",
            Tier.MEDIUM,
            "@every 30m",
            "News of all sources, deduplicated and linked to assets",
            NewsArguments,
            time_limit_seconds=300,
        ),
        TaskSpec(
            "calculate_indicators_task",
            Tier.MEDIUM,
            "@hourly",
            "Daily bars brought up to date, then indicators of all active assets",
            SymbolArguments,
            time_limit_seconds=1_800,
        ),
        TaskSpec(
            "cleanup_old_cache_task",
            Tier.LOW,
            "@daily",
            "Drops quotes, bars and news past their retention",
            CleanupArguments,
        ),
        TaskSpec(
            "health_check_task",
            Tier.LOW,
            "@every 1m",
            "Checks Redis, queues, tiers, providers and freshness",
            time_limit_seconds=30,
            max_age_seconds=120,
        ),
        TaskSpec(
            "cleanup_failed_tasks_task",
            Tier.LOW,
            "@daily",
            "Drops dead letters and task records past their retention",
            CleanupArguments,
        ),
    )
}


def validate_arguments(task: str, args: list[Any] | tuple[Any, ...], kwargs: Mapping[str, Any]) -> BaseModel:
    """Check a call of a catalogue task against its argument model.

    Args:
        task: name of a catalogue task.
        args: positional arguments; catalogue tasks take none.
        kwargs: keyword arguments.

    Raises:
        InvalidArgumentsError: naming the first field at fault.
    """
    if args:
        raise InvalidArgumentsError(task, "args", "takes keyword arguments only; write them under kwargs")
    model = CATALOG[task].arguments
    try:
        return model.model_validate(dict(kwargs))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "kwargs"
        problem = first["msg"]
        if first["type"] == "extra_forbidden":
            problem = f"unknown argument; {task} takes: {', '.join(model.model_fields) or 'none'}"
        raise InvalidArgumentsError(task, field, problem) from error
