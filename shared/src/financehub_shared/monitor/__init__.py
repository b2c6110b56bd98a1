"""The monitor, which keeps a record of every run, statistics per task and outcomes per schedule."""

from financehub_shared.monitor.run_records import RunRecord, TaskStats
from financehub_shared.monitor.run_state import ACTIVE, RunState
from financehub_shared.monitor.task_monitor import TaskMonitor, get_task_monitor

__all__ = ["ACTIVE", "RunRecord", "RunState", "TaskMonitor", "TaskStats", "get_task_monitor"]
