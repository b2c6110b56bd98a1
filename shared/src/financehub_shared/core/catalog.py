"""The catalog of the seven built-in tasks: their names, queues, default schedules, limits and arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, parse_duration
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetType

if TYPE_CHECKING:  # a process that only needs the names of tasks does not load pydantic
    from pydantic import BaseModel


class Tier(StrEnum):
    """Built-in priority tiers. Each has its own queue, image and Deployment."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


#: Seconds within which a message of a tier should start: half the period of its most frequent task.
WAIT_TARGETS: Mapping[str, float] = {Tier.HIGH: 60, Tier.MEDIUM: 900, Tier.LOW: 1_800}
#: Wait target of queues that users add.
OTHER_WAIT_TARGET = 900.0


def wait_target(queue: str) -> float:
    """Return the seconds within which a message of a queue should start.

    Args:
        queue: Name of the queue. All queues that do not belong to a built-in tier share one target.
    """
    return WAIT_TARGETS.get(queue, OTHER_WAIT_TARGET)


#: The catalog's default schedules that are not intervals → seconds between two runs.
_PERIODS: Mapping[str, float] = {"@hourly": HOUR_SECONDS, "@daily": DAY_SECONDS}


class ArgumentForm(StrEnum):
    """Which arguments a task takes. `task_arguments` has the model of each."""

    NONE = "none"
    SYMBOLS = "symbols"
    NEWS = "news"
    CLEANUP = "cleanup"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task of the catalog.

    Args:
        name: Name of the dramatiq actor, which messages carry.
        queue: Queue of the tier that runs the task.
        schedule: Default schedule, in the form of `ScheduledTask.spec.schedule`: `@every <duration>` or a key of
            `_PERIODS`. Health derives the freshness limit from its period.
        summary: Sentence that describes the task, for the comments in its default schedules.
        datasets: Datasets that the task refreshes, as in `Store.mark_success`. Health checks their freshness.
        run_at_first_start: Whether the default schedule triggers one run when a scheduler first sees it, so that a new
            release has data soon.
        takes: Form of the keyword arguments.
        asset_type: Type of the assets that the task works on. None means all types, or no assets at all.
        time_limit_seconds: A run that takes longer is interrupted. Upstream calls get a deadline below this limit.
        max_age_seconds: A message that is older than this when it starts is skipped, because the next run follows soon.
            None means that no message is too old.
    """

    name: str
    queue: Tier
    schedule: str
    summary: str
    datasets: tuple[str, ...] = ()
    run_at_first_start: bool = True
    takes: ArgumentForm = ArgumentForm.NONE
    asset_type: AssetType | None = None
    time_limit_seconds: int = 300
    max_age_seconds: int | None = None

    def __post_init__(self) -> None:
        # A task whose period is unknown fails at import rather than later in a health check.
        _ = self.period_seconds

    @property
    def arguments(self) -> "type[BaseModel]":
        """The model of the keyword arguments."""
        from financehub_shared.core.task_arguments import MODELS

        return MODELS[self.takes]

    @property
    def period_seconds(self) -> float:
        """Seconds between two runs of the default schedule.

        Raises:
            ConfigError: The default schedule has a form whose period is unknown.
        """
        kind, _, interval = self.schedule.partition(" ")
        if kind == "@every":
            return parse_duration(interval)
        if self.schedule not in _PERIODS:
            allowed = ", ".join(["@every <duration>", *_PERIODS])
            raise ConfigError(
                f"{self.name}: the period of the default schedule {self.schedule!r} is unknown; "
                f"write one of {allowed}, or add its period to _PERIODS in core/catalog.py"
            )
        return _PERIODS[self.schedule]


CATALOG: Mapping[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(
            "fetch_crypto_prices_task",
            Tier.HIGH,
            "@every 2m",
            "Fetches quotes of all active crypto assets.",
            datasets=("quotes:crypto",),
            takes=ArgumentForm.SYMBOLS,
            asset_type=AssetType.CRYPTO,
            time_limit_seconds=90,
            max_age_seconds=600,
        ),
        TaskSpec(
            "fetch_stock_prices_task",
            Tier.HIGH,
            "@every 5m",
            "Fetches quotes of all active stock assets.",
            datasets=("quotes:stock",),
            takes=ArgumentForm.SYMBOLS,
            asset_type=AssetType.STOCK,
            time_limit_seconds=180,
            max_age_seconds=1_500,
        ),
        TaskSpec(
            "fetch_news_task",
            Tier.MEDIUM,
            "@every 30m",
            "Fetches news from all sources, removes duplicates and links the items to assets.",
            datasets=("news",),
            takes=ArgumentForm.NEWS,
            time_limit_seconds=300,
        ),
        TaskSpec(
            "calculate_indicators_task",
            Tier.MEDIUM,
            "@hourly",
            "Updates the daily bars of all active assets, then computes their indicators.",
            datasets=("bars", "indicators"),
            takes=ArgumentForm.SYMBOLS,
            time_limit_seconds=1_800,
        ),
        TaskSpec(
            "cleanup_old_cache_task",
            Tier.LOW,
            "@daily",
            "Deletes quotes, bars and news items that are past their retention.",
            run_at_first_start=False,
            takes=ArgumentForm.CLEANUP,
        ),
        TaskSpec(
            "health_check_task",
            Tier.LOW,
            "@every 1m",
            "Checks Redis, queues, tiers, providers and the freshness of data.",
            time_limit_seconds=30,
            max_age_seconds=120,
        ),
        TaskSpec(
            "cleanup_failed_tasks_task",
            Tier.LOW,
            "@daily",
            "Deletes dead letters and run records that are past their retention.",
            run_at_first_start=False,
            takes=ArgumentForm.CLEANUP,
        ),
    )
}


def validate_arguments(task: str, args: list[Any] | tuple[Any, ...], kwargs: Mapping[str, Any]) -> "BaseModel":
    """Validate the arguments for a catalog task.

    Args:
        task: Name of a task in the catalog.
        args: Positional arguments. They must be empty, because catalog tasks accept keyword arguments only.
        kwargs: Keyword arguments.

    Raises:
        InvalidArgumentsError: An argument is invalid. The error names the first one.
    """
    from financehub_shared.core.task_arguments import validate

    spec = CATALOG[task]
    return validate(task, spec.arguments, spec.asset_type, args, kwargs)
