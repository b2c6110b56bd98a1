"""How the commands show schedules."""

from collections.abc import Sequence

from financehub_cli.output.formats import readable_time
from financehub_cli.output.result import CommandResult
from financehub_cli.output.runs import runs_table
from financehub_cli.output.table import build_details, build_table
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.monitor import RunRecord
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.views.schedules import schedule_detail_view, schedule_view


def schedules_result(schedules: Sequence[ScheduleInfo], now: float, notes: list[str]) -> CommandResult:
    """Return the result that lists schedules.

    Args:
        schedules: The schedules.
        now: The current time in Unix seconds.
        notes: Lines for stderr.
    """
    rows = [_row(info, now) for info in schedules]
    # Why a schedule does not run matters more than its last run. Without any problem, the column must not take space.
    problem = "!~problem" if any(row[-1] for row in rows) else "~problem"
    columns = ("name", "task", "schedule", "!last run", ">ended", "+>next in", problem)
    content = build_table(*columns, rows=rows)
    return CommandResult([schedule_view(info, now) for info in schedules], content, notes)


def _row(info: ScheduleInfo, now: float) -> list[object]:
    return [
        info.name,
        info.task,
        info.recurrence_text,
        info.outcome.last_run_outcome,
        format_age(info.outcome.last_run_at, now),
        _next_run_text(info, now),
        info.problem or (str(info.paused) if info.paused else ""),
    ]


def _next_run_text(info: ScheduleInfo, now: float) -> str:
    if info.suspended:
        return "suspended"
    if info.paused:
        return "paused"
    if not info.is_claimed(now):
        return "no scheduler"
    if info.next_times:
        return format_duration(max(0.0, info.next_times[0] - now))
    if info.problem:
        return "never"
    # Nobody knows when the predecessor of a follower succeeds. A scheduler plans a new or resumed schedule at once.
    return "on success" if info.after else "being planned"


def detailed_result(info: ScheduleInfo, recent: list[RunRecord], now: float) -> CommandResult:
    """Return the result that shows one schedule.

    Args:
        info: The schedule.
        recent: Its newest runs, newest first.
        now: The current time in Unix seconds.
    """
    record = schedule_detail_view(info, recent, now)
    apart = {"spec", "next", "skipped", "recent", "paused", "warnings"}
    paused = info.paused and f"{readable_time(info.paused.at)} {info.paused}"
    if info.paused and info.paused.failures:
        paused = f"{paused}; correct the cause, then resume it with: financehub schedules resume {info.name}"
    rows = [
        *((name, value) for name, value in record.items() if name not in apart),
        *(("warning", warning) for warning in record["warnings"] if warning not in info.problem),
        ("paused", paused or False),
        *((f"spec.{name}", value) for name, value in info.spec.items()),
        *((f"skipped ({reason})", count) for reason, count in info.skipped.items()),
        *(("next", readable_time(at)) for at in info.next_times),
    ]
    content = [build_details(rows, title=info.name), runs_table(recent)]
    return CommandResult(record, content)
