"""Generates the default schedules from the catalog: the files of `make run`, and a section of the chart's values."""

import json
import re

from financehub_shared.core.catalog import CATALOG, TaskSpec
from financehub_shared.spec.scheduled_task import TRIGGER

_DEADLINE = "# a run that would be later is pointless, because the next one fetches fresher data"
_FIRST_START = "# one immediate run when the scheduler first sees this value"
#: The section `schedules` of values.yaml: its first line and the indented lines below it.
_VALUES_SECTION = re.compile(r"^schedules:\n(?:  .*\n)+", re.MULTILINE)


def schedule_name(task: TaskSpec) -> str:
    """Return the name of a task's default schedule, such as `fetch-news` for `fetch_news_task`."""
    return task.name.removesuffix("_task").replace("_", "-")


def files() -> dict[str, str]:
    """Return the content of each ScheduledTask file of `make run`, by file name."""
    return {f"{schedule_name(task)}.yaml": _file(task) for task in CATALOG.values()}


def with_default_schedules(values: str) -> str:
    """Return the text of the chart's values.yaml with a regenerated section `schedules`.

    Args:
        values: Current text, whose other sections are kept.
    """
    tasks = sorted(CATALOG.values(), key=schedule_name)
    section = "schedules:\n" + "".join(_values_entry(task) for task in tasks)
    text, replaced = _VALUES_SECTION.subn(lambda _: section, values)
    if replaced != 1:
        raise ValueError(f"values.yaml has {replaced} sections `schedules`; it must have exactly one")
    return text


def _file(task: TaskSpec) -> str:
    head = f"# {task.summary}\napiVersion: financehub.io/v1alpha1\nkind: ScheduledTask\nmetadata:\n"
    return head + f"  name: {schedule_name(task)}\n" + _indented(_annotations(task), 2) + _spec(task)


def _values_entry(task: TaskSpec) -> str:
    lines = f"# -- {task.summary}\n{schedule_name(task)}:\n  enabled: true\n"
    return _indented(lines + _indented(_annotations(task) + _spec(task), 2), 2)


def _annotations(task: TaskSpec) -> str:
    return f"annotations:\n  {TRIGGER}: first-start {_FIRST_START}\n" if task.run_at_first_start else ""


def _spec(task: TaskSpec) -> str:
    lines = f"spec:\n  task: {task.name}\n  schedule: {json.dumps(task.schedule)}\n"
    if task.max_age_seconds:
        lines += f"  startingDeadlineSeconds: {task.max_age_seconds} {_DEADLINE}\n"
    return lines


def _indented(lines: str, spaces: int) -> str:
    return "".join(f"{' ' * spaces}{line}" for line in lines.splitlines(keepends=True))
