"""Reads the registered schedules and requests runs, for every process except the scheduler.

The scheduler registers its schedules in Redis. The CLI and the health report read them there, without importing the
scheduler, and the CLI writes requests that a live scheduler executes.
"""

from financehub_shared.schedules.listing import (
    UNCLAIMED_SECONDS,
    ScheduleInfo,
    list_schedules,
    refused_schedules,
    show_schedule,
)
from financehub_shared.schedules.names import all_schedules, find_schedules
from financehub_shared.schedules.pauses import Pause
from financehub_shared.schedules.requests import (
    BACKFILL_TTL_SECONDS,
    request_backfill,
    request_trigger,
    show_backfill,
)

__all__ = [
    "BACKFILL_TTL_SECONDS",
    "UNCLAIMED_SECONDS",
    "Pause",
    "ScheduleInfo",
    "all_schedules",
    "find_schedules",
    "list_schedules",
    "refused_schedules",
    "request_backfill",
    "request_trigger",
    "show_backfill",
    "show_schedule",
]
