"""How endpoints are described, and the one path every request takes: count, wait, fail or answer, spoil."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from financehub_simulator.core import BadQueryError, Call, Fault, Simulator
from financehub_simulator.market import Bar
from financehub_simulator.spoiling import CutResponse, DisconnectResponse, spoil

Handler = Callable[[Call], Response]
Failure = Callable[[Fault], Response]
#: Characters of a parameter that the log keeps: a hundred symbols, not a thousand.
_SHOWN = 2_000
#: Query parameters that hold a key: never shown by the control endpoint.
_SECRETS = frozenset({"token", "crumb", "x_cg_demo_api_key"})


class JsonAnswer(Response):
    """JSON as upstreams write it: compact, and NaN where a fault asks for it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of an upstream.

    Args:
        path: as the upstream documents it, with `{symbol}` for what varies.
        handler: the genuine answer.
        names: what the request asks for: symbol in the upstream's spelling → canonical symbol or None.
        empty: body of a right-shaped answer without content.
        methods: HTTP methods.
    """

    path: str
    handler: Handler
    names: Callable[[Request], Mapping[str, str | None]] = lambda _request: {}
    empty: bytes = b"{}"
    methods: Sequence[str] = ("GET",)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A real service that is simulated.

    Args:
        name: path prefix of the simulator, and its name in faults and counts.
        hosts: host names it has in reality, for the TLS port; `*.` matches any one label.
        endpoints: its paths.
        failures: fault name → answer, where the common one would be wrong.
    """

    name: str
    hosts: Sequence[str]
    endpoints: Sequence[Endpoint]
    failures: Mapping[str, Failure] = field(default_factory=dict)


def html(title: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page where JSON or XML was expected."""
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Response(body, status, dict(headers or {}), "text/html; charset=utf-8")


def change_percent(bar: Bar, reference: float | None = None) -> float:
    """Change since `reference`, or since the bar's opening, in percent; 0 where there is nothing to compare with."""
    before = bar.open if reference is None else reference
    return (bar.close - before) / before * 100 if before else 0.0


def retry_after(fault: Fault) -> dict[str, str]:
    """The header that a fault's `retry_after` asks for; none if null."""
    seconds = fault.parameters.get("retry_after")
    return {} if seconds is None else {"Retry-After": str(seconds)}


#: Answers that look alike everywhere.
COMMON_FAILURES: Mapping[str, Failure] = {
    "rate-limited": lambda fault: PlainTextResponse("Too Many Requests\r\n", 429, retry_after(fault)),
    "forbidden": lambda _fault: html("403 Forbidden", 403),
    "server-error": lambda _fault: PlainTextResponse("Internal Server Error", 500),
    "unavailable": lambda fault: html("503 Service Temporarily Unavailable", 503, retry_after(fault)),
    "html": lambda _fault: html("Checking your browser before accessing"),
}


def routes(sim: Simulator, upstream: Upstream) -> list[BaseRoute]:
    """Starlette routes of an upstream; paths it does not have are counted as `other`."""
    paths: list[BaseRoute] = [
        Route(endpoint.path, _serve(sim, upstream, endpoint), methods=list(endpoint.methods))
        for endpoint in upstream.endpoints
    ]
    return [*paths, Route("/{rest:path}", _unknown(sim, upstream), methods=["GET", "POST"])]


def _unknown(sim: Simulator, upstream: Upstream) -> Callable[[Request], Any]:
    async def unknown(request: Request) -> Response:
        sim.counts[upstream.name, "other"] += 1
        return html("404 Not Found", 404)

    return unknown


def _serve(sim: Simulator, upstream: Upstream, endpoint: Endpoint) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        names = endpoint.names(request)
        canonical = [symbol for symbol in names.values() if symbol]
        faults = sim.matching(upstream.name, endpoint.path, [*names, *canonical])
        shown = [
            (key, "***" if key in _SECRETS else value[:_SHOWN]) for key, value in request.query_params.multi_items()
        ]
        sim.counts[upstream.name, endpoint.path] += 1
        sim.recent.append(
            {
                "upstream": upstream.name,
                "endpoint": endpoint.path,
                "path": request.url.path,
                "query": urlencode(shown),
                "symbols": len(names),
                "faults": [fault.spec.name for fault in faults],
            }
        )
        by_name = {fault.spec.name: fault for fault in faults}
        wait = sim.latency + (by_name["slow"].parameters["seconds"] if "slow" in by_name else 0.0)
        if wait > 0:
            await asyncio.sleep(wait)
        if "disconnect" in by_name:
            return DisconnectResponse()
        response = _answer(Call(sim, request, names, faults, sim.now()), upstream, endpoint)
        return CutResponse(response) if "cut" in by_name else response

    return serve


def _answer(call: Call, upstream: Upstream, endpoint: Endpoint) -> Response:
    for fault in call.faults:
        if fault.spec.kind == "answer":
            failures = {**COMMON_FAILURES, **upstream.failures}
            return failures[fault.spec.name](fault)
    try:
        response = endpoint.handler(call)
    except BadQueryError as error:
        return JsonAnswer({"error": str(error)}, 400)
    for fault in call.faults:
        if fault.spec.kind == "body":
            response = spoil(response, fault, endpoint.empty)
    return response
