"""The page with the processes, the queues and Redis."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.health.processes import HEARTBEAT_SECONDS
from financehub_shared.monitor import RunRecord
from financehub_shared.redis.server_facts import TITLES, ServerFacts
from financehub_shared.views.fleet import queue_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Age of a heartbeat in seconds beyond which the page shows it. Two of them are missing then.
_LATE_SECONDS = 3 * HEARTBEAT_SECONDS
#: Number of runs that a row shows. A process may have more threads.
_MOST_RUNS = 5
_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?) ms")


@page(router, "/fleet", "fleet")
def fleet_page(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show all live processes, the queues, Redis and every check of the health report.

    Figures that change with every reading are rounded, so that the page changes only if something has happened.
    """
    snapshot, servers, running = fleet.snapshot(), fleet.servers(), fleet.running()
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for run in running.value.runs:
        runs[run.worker].append(run)
    values = {
        "runs": runs,
        "most_runs": _MOST_RUNS,
        "versions": {process.version for process in snapshot.value.processes},
        "processes": sorted(snapshot.value.processes, key=lambda each: (each.tier, each.host, each.pid)),
        "round_times": _round_times,
        "late_seconds": _LATE_SECONDS,
        "queues": [queue_view(figures) for figures in snapshot.value.queues],
        "servers": [_server(facts, is_only=len(servers.value) == 1) for facts in servers.value],
    }
    return show(request, "fleet.html", "Fleet", "fleet", values, snapshot, servers, running)


def _round_milliseconds(number: float) -> str:
    return "under 20 ms" if number < 20 else f"{number:.0f} ms"


def _round_times(reason: str) -> str:
    """Return the reason of a check with its milliseconds rounded."""
    return _MILLISECONDS.sub(lambda found: _round_milliseconds(float(found[1])), reason)


def _server(facts: ServerFacts, *, is_only: bool) -> dict[str, Any]:
    info = facts.info
    persistence: Sequence[str] = [
        name
        for name, is_on in (("append-only file", facts.number("aof_enabled")), ("snapshots", info.get("rdb_saves")))
        if is_on
    ]
    return {
        "title": "Redis" if is_only else TITLES.get(facts.server, facts.server),
        "address": facts.address,
        "version": info.get("redis_version"),
        "answered_in": _round_milliseconds(facts.seconds * 1_000),
        "memory": facts.number("used_memory"),
        "limit": facts.number("maxmemory"),
        "policy": info.get("maxmemory_policy"),
        "persistence": " and ".join(persistence) or "none",
        "clients": facts.number("connected_clients"),
        "uptime": facts.number("uptime_in_seconds"),
    }
