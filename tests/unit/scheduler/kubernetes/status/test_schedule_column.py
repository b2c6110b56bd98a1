"""The column SCHEDULE of `kubectl get`, which shows when a schedule runs."""

from typing import Any

import pytest

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.observed_status import NO_STATUS
from financehub_scheduler.kubernetes.status.build import build_status
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.watch.resource import parse_resource
from support.schedules import UID, resource

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ({"schedule": "@every 1h offset 7m"}, "@every 1h offset 7m"),
        ({"schedule": "0 6 * * *", "timeZone": "Europe/Berlin"}, "0 6 * * * (Europe/Berlin)"),
        ({"schedule": "0 6 * * *", "calendar": "XNYS", "calendarOffsetSeconds": 60}, "0 6 * * *"),
        ({"schedule": "0 3 1-7 * MON", "dayMatch": "All"}, "0 3 1-7 * MON (dayMatch All)"),
        (
            {"schedule": "0 3 1-7 * MON", "dayMatch": "All", "timeZone": "Asia/Tokyo"},
            "0 3 1-7 * MON (dayMatch All, Asia/Tokyo)",
        ),
        ({"schedule": "@close", "calendar": "XNYS"}, "@close (XNYS)"),
        ({"schedule": "@close", "calendar": "XNYS", "timeZone": "Asia/Tokyo"}, "@close (XNYS)"),
        ({"schedule": "@close", "calendar": "XNYS", "calendarOffsetSeconds": 900}, "@close (XNYS + 900 s)"),
        ({"schedule": "@open", "calendar": "FX", "calendarOffsetSeconds": -60}, "@open (FX - 60 s)"),
        (
            {"schedules": ["@open", "0 12 * * *"], "calendar": "XTKS", "timeZone": "Asia/Tokyo"},
            "@open; 0 12 * * * (XTKS, Asia/Tokyo)",
        ),
        ({"after": "fetch-prices", "timeZone": "Asia/Tokyo"}, "after fetch-prices"),
    ],
)
def test_schedule_column_of_each_kind_of_schedule(spec: dict[str, Any], shown: str) -> None:
    """The column shows the lines, and what decides about their times: calendar, dayMatch and time zone."""
    body = resource(**spec)
    server = {"uid": UID, "namespace": "default", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    watched = parse_resource({**body, "metadata": {**body["metadata"], **server}})
    assert watched.schedule
    state = ScheduleState(watched.schedule, NOW)
    assert build_status(watched, state, ScheduleSnapshot(), NO_STATUS, NOW).schedule == shown
