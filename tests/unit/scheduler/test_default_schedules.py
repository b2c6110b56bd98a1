"""The schedules of `make run`."""

from pathlib import Path

import pytest

from financehub_shared.core.catalog import CATALOG
from financehub_shared.spec.documents import parse, split
from financehub_shared.spec.scheduled_task import TRIGGER

FOLDER = Path(__file__).parents[3] / "deploy/local/schedules"
TASKS = {
    task.spec.task: task
    for path in FOLDER.glob("*.yaml")
    for document in split(path.read_text(encoding="utf-8"))
    if (task := parse(document))
}


def test_default_schedules_name_every_task_of_the_catalog():
    """The default ScheduledTasks and the catalog name the same tasks."""
    assert TASKS.keys() == CATALOG.keys()
    assert len(list(FOLDER.glob("*.yaml"))) == len(CATALOG)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_default_schedule_has_the_defaults_of_the_catalog(name: str):
    """A default ScheduledTask's schedule, queue and age limit equal the catalog's values."""
    spec = TASKS[name].spec
    assert spec.schedule == CATALOG[name].schedule
    assert spec.queue in {None, CATALOG[name].queue}
    assert spec.starting_deadline_seconds == CATALOG[name].max_age_seconds
    assert not spec.suspend


def test_default_schedules_of_fetches_have_a_trigger():
    """Each fetch, the indicators and the health check run once on the first start, so that data is available soon."""
    first = {name for name, task in TASKS.items() if TRIGGER in task.metadata.annotations}
    assert first == CATALOG.keys() - {"cleanup_old_cache_task", "cleanup_failed_tasks_task"}
