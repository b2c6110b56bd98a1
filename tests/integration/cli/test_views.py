"""Tests that the JSON of each command is the view from which the documentation of the API is made."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
import redis
import typer.main
from pydantic import TypeAdapter

from financehub_cli.app import app
from financehub_shared.views.assets import AssetView
from financehub_shared.views.backfill_plans import BackfillPlanView
from financehub_shared.views.bars import BarsView
from financehub_shared.views.breakers import BreakerView
from financehub_shared.views.dead_letters import DeadLetterView
from financehub_shared.views.indicators import IndicatorsView
from financehub_shared.views.news import NewsView
from financehub_shared.views.processes import ProcessView
from financehub_shared.views.quarantine import QuarantineView
from financehub_shared.views.quotes import QuoteView
from financehub_shared.views.run_details import RunDetailView
from financehub_shared.views.runs import RunView
from financehub_shared.views.schedule_documents import ScheduleDocumentView
from financehub_shared.views.schedules import BackfillView, ScheduleDetailView, ScheduleView
from financehub_shared.views.settings import SettingView
from financehub_shared.views.stats import TaskStatsView, TaskStatsWithRunsView
from financehub_shared.views.status import StatusView
from financehub_shared.views.versions import VersionsView
from support.full_redis import fill

#: Command → its exit code and the type of its JSON.
COMMANDS: Sequence[tuple[tuple[str, ...], int, Any]] = [
    (("quotes",), 0, list[QuoteView]),
    (("bars", "AAPL", "--last", "3"), 0, list[BarsView]),
    (("indicators", "AAPL", "--last", "2"), 0, list[IndicatorsView]),
    (("news",), 0, list[NewsView]),
    (("quarantine",), 0, list[QuarantineView]),
    (("assets", "list"), 0, list[AssetView]),
    (("breakers", "list"), 0, list[BreakerView]),
    (("workers",), 0, list[ProcessView]),
    (("dead-letters", "list"), 0, list[DeadLetterView]),
    (("dead-letters", "show", "letter-q"), 0, DeadLetterView),
    (("schedules", "list"), 0, list[ScheduleView]),
    (("schedules", "show", "demo"), 0, ScheduleDetailView),
    (("schedules", "validate", "deploy/local/schedules"), 0, list[ScheduleDocumentView]),
    (("version",), 0, VersionsView),
    (("config",), 0, list[SettingView]),
    (("runs", "list"), 0, list[RunView]),
    (("runs", "show", "task-ended"), 0, RunDetailView),
    (("stats",), 0, list[TaskStatsView]),
    (("stats", "task"), 0, list[TaskStatsWithRunsView]),
    (("status",), 1, StatusView),
    (("run", "health_check_task", "--no-wait"), 0, RunView),
    (("schedules", "backfill", "demo", "--from", "2026-01-01", "--to", "2026-01-02", "--no-wait"), 0, BackfillView),
    (("schedules", "backfill", "demo", "--from", "2026-01-01", "--to", "2026-01-02", "--dry-run"), 0, BackfillPlanView),
]


def keys_of(view: Any) -> list[str]:
    """Return the keys of a view, or of the elements if it is a list of views."""
    (element,) = getattr(view, "__args__", (view,))
    return list(element.__annotations__)


@pytest.fixture
def filled(redis_client: redis.Redis, redis_url: str) -> None:
    """A Redis with each kind of record."""
    fill(redis_client, redis_url)


@pytest.mark.usefixtures("filled")
def test_json_of_each_command_is_its_view(cli: Any) -> None:
    """The JSON has exactly the keys and types of the view, at every level, and its keys have the order of the view."""
    for arguments, code, view in COMMANDS:
        shown = cli(*arguments, code=code)
        assert shown, arguments
        adapter = TypeAdapter(view)
        assert adapter.dump_python(adapter.validate_python(shown, strict=True)) == shown, arguments
        for record in shown if isinstance(shown, list) else [shown]:
            assert list(record) == keys_of(view), arguments


def test_help_of_each_command_lists_the_keys_of_its_view() -> None:
    """The help names every key of the JSON in the order of the view, or refers to another command."""
    for arguments, _, view in COMMANDS:
        command: Any = typer.main.get_command(app)
        for name in arguments:
            command = getattr(command, "commands", {}).get(name, command)
        listed = re.search(r"JSON: [^{.]*\{([a-z0-9_,\s]*)\}", command.help)
        # a command that shows something else with an option describes that afterward
        accepted = (
            keys_of(view),
            keys_of(TaskStatsView),
            *([keys_of(BackfillView)] if "--dry-run" in arguments else []),
        )
        if listed is not None:
            assert re.split(r",\s*", listed[1]) in accepted, arguments
        else:
            assert "with the keys of `" in " ".join(command.help.split()), arguments
