"""Tests that the API returns the same records as the `--json` output of the command line."""

import json
import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from financehub_cli.app import app

#: Command → path whose `data` equals its JSON.
PAIRS = {
    "assets list": "/assets?active=true",
    "quotes": "/quotes",
    "quotes AAPL": "/quotes?symbols=AAPL",
    "history AAPL": "/quotes/AAPL/history?last=20",
    "bars": "/bars",
    "bars AAPL": "/bars?symbols=AAPL&last=10",
    "indicators": "/indicators",
    "indicators AAPL --last 2": "/indicators/AAPL?last=2",
    "news": "/news",
    "news AAPL": "/news?symbols=AAPL",
    "quarantine": "/quarantine",
    "schedules list": "/schedules",
    "schedules show demo": "/schedules/default/demo",
    "runs show task-ended": "/runs/task-ended",
    "stats": "/tasks",
    "stats task": "/tasks/task",
    "dead-letters list": "/dead-letters",
    "dead-letters show letter-q": "/dead-letters/letter-q",
    "breakers list": "/breakers",
    "workers": "/workers",
    "status": "/status",
}
#: Values that depend on the moment of the reading.
_CHANGING = ("age_seconds", "oldest_age_seconds", "next_in_seconds", "heartbeat_at", "hours")

RunJson = Callable[[str], Any]


@pytest.fixture
def run_json(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> RunJson:
    """Run a command of the command line, and return its JSON."""
    for name in list(os.environ):
        if name.startswith(("FINANCEHUB_", "REDIS_", "DRAMATIQ_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda command: json.loads(CliRunner().invoke(app, [*command.split(), "--json"]).stdout)


def _lasting(value: Any) -> Any:
    """Return a value without what depends on the moment of the reading."""
    if isinstance(value, dict):
        return {name: _lasting(each) for name, each in value.items() if name not in _CHANGING}
    return [_lasting(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", PAIRS)
def test_data_of_the_api_equals_the_json_of_the_command(api: httpx.Client, run_json: RunJson, command: str) -> None:
    """There is one serializer, so a program can be moved from one to the other."""
    shown = _lasting(run_json(command))
    data = _lasting(api.get(f"/api/v1{PAIRS[command]}").json()["data"])
    if isinstance(shown, list) and not isinstance(data, list):
        data = [data]  # these commands always print a list
    if command == "status":
        for each in (shown, data):
            for name in ("at", "checks", "problems"):  # they contain durations and ages
                assert each.pop(name)
    if command in {"quarantine", "dead-letters list", "stats"}:
        # records of the same time have no order, and the command shows tasks in the order of the catalog
        shown, data = (sorted(each, key=json.dumps) for each in (shown, data))
    assert data == shown
