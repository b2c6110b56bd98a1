"""The page with the processes, the queues and Redis."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.redis.server_facts import TITLES, ServerFacts
from financehub_shared.views.fleet import queue_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()


@page(router, "/fleet", "fleet")
def fleet_page(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show all live processes, the queues, Redis and every check of the health report."""
    snapshot, servers = fleet.snapshot(), fleet.servers()
    values = {
        "processes": sorted(snapshot.value.processes, key=lambda each: (each.tier, each.host, each.pid)),
        "queues": [queue_view(figures) for figures in snapshot.value.queues],
        "servers": [_server(facts, is_only=len(servers.value) == 1) for facts in servers.value],
    }
    return show(request, "fleet.html", "Fleet", "fleet", values, snapshot, servers)


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
        "milliseconds": facts.seconds * 1_000,
        "memory": facts.number("used_memory"),
        "limit": facts.number("maxmemory"),
        "policy": info.get("maxmemory_policy"),
        "persistence": " and ".join(persistence) or "none",
        "clients": facts.number("connected_clients"),
        "uptime": facts.number("uptime_in_seconds"),
    }
