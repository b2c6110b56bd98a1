"""Defines upstreams and their endpoints, and the request handling that they share.

A request is counted and logged, is delayed by the latency, and then succeeds or fails according to its faults.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from financehub_simulator.body_faults import CutResponse, DisconnectResponse, apply_body_fault
from financehub_simulator.call import BadQueryError, Call
from financehub_simulator.responses import COMMON_FAULT_RESPONSES, CompactJsonResponse, FaultResponse, html_page
from financehub_simulator.state import ActiveFault, Simulator

Handler = Callable[[Call], Response]
#: Maximum length in characters of a logged query parameter, enough for about a hundred symbols.
_MAX_LOGGED_LENGTH = 2_000
#: Query parameters that contain a secret. The request log masks them.
_SECRET_PARAMETERS = frozenset({"token", "crumb", "x_cg_demo_api_key"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of an upstream.

    Args:
        path: The documented path, with `{symbol}` for a variable part.
        handler: Returns the genuine response.
        symbols: Returns the requested symbols in the upstream's spelling, each with its canonical symbol or None.
        empty_body: A response body with the right shape but no content.
        methods: HTTP methods.
    """

    path: str
    handler: Handler
    symbols: Callable[[Request], Mapping[str, str | None]] = lambda _request: {}
    empty_body: bytes = b"{}"
    methods: Sequence[str] = ("GET",)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A real service that the simulator imitates.

    Args:
        name: Path prefix in the simulator, and the name in faults and request counts.
        hosts: Real host names for the TLS port; `*.` matches exactly one label.
        endpoints: The paths that the simulator serves.
        fault_responses: Fault name → response, for faults whose common response does not fit this upstream.
    """

    name: str
    hosts: Sequence[str]
    endpoints: Sequence[Endpoint]
    fault_responses: Mapping[str, FaultResponse] = field(default_factory=dict)


def routes(simulator: Simulator, upstream: Upstream) -> list[BaseRoute]:
    """Return the routes of an upstream. Requests to unknown paths are counted as `other`."""
    known: list[BaseRoute] = [
        Route(endpoint.path, _serve(simulator, upstream, endpoint), methods=list(endpoint.methods))
        for endpoint in upstream.endpoints
    ]
    return [*known, Route("/{rest:path}", _serve_unknown_path(simulator, upstream), methods=["GET", "POST"])]


def _serve_unknown_path(simulator: Simulator, upstream: Upstream) -> Callable[[Request], Any]:
    async def serve(_request: Request) -> Response:
        simulator.request_counts[upstream.name, "other"] += 1
        return html_page("404 Not Found", 404)

    return serve


def _serve(simulator: Simulator, upstream: Upstream, endpoint: Endpoint) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        symbols = endpoint.symbols(request)
        canonical = [symbol for symbol in symbols.values() if symbol]
        matched = simulator.match_faults(upstream.name, endpoint.path, [*symbols, *canonical])
        _record_request(simulator, upstream, endpoint, request, len(symbols), matched)
        faults = {fault.spec.name: fault for fault in matched}
        delay = simulator.latency + (faults["slow"].parameters["seconds"] if "slow" in faults else 0.0)
        if delay > 0:
            await asyncio.sleep(delay)
        if "disconnect" in faults:
            return DisconnectResponse()
        response = _respond(Call(simulator, request, symbols, matched, simulator.now()), upstream, endpoint)
        return CutResponse(response) if "cut" in faults else response

    return serve


def _record_request(
    simulator: Simulator,
    upstream: Upstream,
    endpoint: Endpoint,
    request: Request,
    symbol_count: int,
    faults: Sequence[ActiveFault],
) -> None:
    """Count and log a request."""
    query = [
        (key, "***" if key in _SECRET_PARAMETERS else value[:_MAX_LOGGED_LENGTH])
        for key, value in request.query_params.multi_items()
    ]
    simulator.request_counts[upstream.name, endpoint.path] += 1
    simulator.recent_requests.append(
        {
            "upstream": upstream.name,
            "endpoint": endpoint.path,
            "path": request.url.path,
            "query": urlencode(query),
            "symbols": symbol_count,
            "faults": [fault.spec.name for fault in faults],
        }
    )


def _respond(call: Call, upstream: Upstream, endpoint: Endpoint) -> Response:
    for fault in call.faults:
        if fault.spec.kind == "response":
            fault_responses = {**COMMON_FAULT_RESPONSES, **upstream.fault_responses}
            return fault_responses[fault.spec.name](fault)
    try:
        response = endpoint.handler(call)
    except BadQueryError as error:
        return CompactJsonResponse({"error": str(error)}, 400)
    for fault in call.faults:
        if fault.spec.kind == "body":
            response = apply_body_fault(response, fault, endpoint.empty_body)
    return response
