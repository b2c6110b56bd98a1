"""Tests of the table of `schedules list` in terminals of any width."""

import pytest

from financehub_cli.commands.schedules.rendering import schedules_result
from financehub_cli.output.layout import Terminal, table_lines
from financehub_cli.output.table import Table
from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.schedules.pauses import Pause

NOW = 1_800_000_000.0


def info(name: str, problem: str = "", paused: Pause | None = None) -> ScheduleInfo:
    return ScheduleInfo(
        uid=name,
        name=f"default/{name}",
        task="fetch_stock_prices_task",
        queue="high",
        spec={"schedule": "*/5 9-16 * * MON-FRI", "timeZone": "America/New_York"},
        suspended=False,
        problem=problem,
        next_times=() if problem else (NOW + 60,),
        claimed_at=NOW,
        runs=3,
        triggered=0,
        backfilled=0,
        missed=0,
        skipped={},
        last_due_at=NOW - 60,
        outcome=ScheduleOutcome(last_run_outcome="succeeded", last_run_at=NOW - 60),
        recent=(),
        paused=paused,
    )


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("reason", ["a problem", "a pause"])
def test_schedules_list_of_any_width_says_why_a_schedule_does_not_run(width: int, reason: str) -> None:
    """The reason is never left out, however narrow the terminal is."""
    words = "exclude removes all of its due times, so change the line"
    stopped = info("b", problem=words) if reason == "a problem" else info("b", paused=Pause("ann", words, NOW))
    table = schedules_result([info("a"), stopped], NOW, []).content
    assert isinstance(table, Table)
    lines = table_lines(table, Terminal(width))
    for word in words.split():
        assert any(word in line for line in lines), word


@pytest.mark.parametrize("width", [40, 60, 80])
def test_schedules_list_without_problems_is_a_table_at_the_widths_of_terminals(width: int) -> None:
    """The column of problems takes no space if it is empty, so that the schedules remain lines of a table."""
    table = schedules_result([info("a"), info("b")], NOW, []).content
    assert isinstance(table, Table)
    lines = table_lines(table, Terminal(width))
    assert lines[0].split()[0] == "name"
    assert "last run" in lines[0]
    assert "problem" not in " ".join(lines)
