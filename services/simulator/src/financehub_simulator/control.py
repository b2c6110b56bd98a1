"""The control endpoint. Tests use it to set faults and to read the received requests.

- `GET /_control` returns the latency and the active faults.
- `POST /_control` sets a fault (`{"fault": "html", "upstream": "binance"}`) or the latency (`{"latency": 1}`).
- `DELETE /_control` resets faults, latency, request counts and rate limits.
- `GET /_control/catalog` returns all faults that can be set.
- `GET /_control/requests` returns request counts per upstream and endpoint; with `?detail=1`, the last requests.
"""

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from financehub_simulator.faults import FAULTS
from financehub_simulator.state import FaultRefusedError, Simulator

_MAX_LATENCY_SECONDS = 600


def control_routes(simulator: Simulator) -> list[BaseRoute]:
    """Return the routes of the control endpoint."""

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            simulator.reset()
            return Response(status_code=204)
        if request.method == "POST":
            return await _change(simulator, request)
        return JSONResponse({"latency": simulator.latency, "faults": [fault.as_dict() for fault in simulator.faults]})

    async def catalog(_request: Request) -> Response:
        return JSONResponse(
            {
                name: {
                    "kind": spec.kind,
                    "upstreams": list(spec.upstreams),
                    "error": spec.error,
                    "summary": spec.summary,
                    "parameters": dict(spec.defaults),
                }
                for name, spec in FAULTS.items()
            }
        )

    async def requests(request: Request) -> Response:
        if request.query_params.get("detail"):
            return JSONResponse(list(simulator.recent_requests))
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for (upstream, endpoint), count in simulator.request_counts.items():
            counts[upstream][endpoint] = count
        return JSONResponse(counts)

    return [
        Route("/_control", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_control/catalog", catalog),
        Route("/_control/requests", requests),
    ]


async def _change(simulator: Simulator, request: Request) -> Response:
    try:
        return _apply(simulator, await request.json())
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)


def _apply(simulator: Simulator, body: Any) -> Response:
    if not isinstance(body, dict) or not ({"latency"} == body.keys() or {"fault", "upstream"} <= body.keys()):
        raise FaultRefusedError('the body must look like {"fault": "html", "upstream": "binance"} or {"latency": 1}')
    if "latency" in body:
        latency = body["latency"]
        if not isinstance(latency, int | float) or not 0 <= latency <= _MAX_LATENCY_SECONDS:
            raise FaultRefusedError(
                f"latency={latency!r}: must be a number of seconds from 0 to {_MAX_LATENCY_SECONDS}"
            )
        simulator.latency = float(latency)
        return JSONResponse({"latency": simulator.latency})
    parameters = {key: value for key, value in body.items() if key not in {"fault", "upstream"}}
    return JSONResponse(simulator.set_fault(body["fault"], body["upstream"], **parameters).as_dict(), 201)
