"""How old data may be."""

import pytest

from financehub_shared.catalog import CATALOG
from financehub_shared.health.periods import DATASETS, dataset_limits, period_seconds


@pytest.mark.parametrize(
    ("schedule", "seconds"), [("@every 2m", 120), ("@every 90s", 90), ("@every 6h", 21_600), ("@hourly", 3_600)]
)
def test_periods_are_read(schedule: str, seconds: int) -> None:
    """A catalogue schedule has a period in seconds."""
    assert period_seconds(schedule) == seconds


@pytest.mark.parametrize("schedule", ["", "@every", "@every m", "@every 2", "* * * * *", "@every 2x"])
def test_other_forms_are_refused(schedule: str) -> None:
    """What is no catalogue schedule raises, and the message says what is allowed."""
    with pytest.raises(ValueError, match="@every"):
        period_seconds(schedule)


def test_every_dataset_has_a_task_and_a_limit_above_its_period() -> None:
    """A dataset becomes stale later than its task's next run can have ended."""
    for dataset, limit in dataset_limits().items():
        task = CATALOG[DATASETS[dataset]]
        assert limit > period_seconds(task.schedule) + task.time_limit_seconds
