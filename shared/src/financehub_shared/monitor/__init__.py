"""The monitor: a record of every run, figures per task, outcomes per schedule."""

from financehub_shared.monitor.records import Run, ScheduleOutcome, TaskStats
from financehub_shared.monitor.states import ACTIVE, RunState
from financehub_shared.monitor.task_monitor import TaskMonitor, get_task_monitor

__all__ = ["ACTIVE", "Run", "RunState", "ScheduleOutcome", "TaskMonitor", "TaskStats", "get_task_monitor"]
