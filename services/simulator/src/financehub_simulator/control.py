"""`/_control`: set, list and reset faults, change the latency, read what was asked for."""

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from financehub_simulator.core import FaultRefusedError, Simulator
from financehub_simulator.faults import FAULTS


def control_routes(sim: Simulator) -> list[BaseRoute]:
    """The control endpoint's routes."""

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            sim.reset()
            return Response(status_code=204)
        if request.method == "POST":
            return await _set(sim, request)
        return JSONResponse({"latency": sim.latency, "faults": [fault.as_dict() for fault in sim.faults]})

    async def catalogue(_request: Request) -> Response:
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
            return JSONResponse(list(sim.recent))
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for (upstream, endpoint), number in sim.counts.items():
            found[upstream][endpoint] = number
        return JSONResponse(found)

    return [
        Route("/_control", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_control/catalogue", catalogue),
        Route("/_control/requests", requests),
    ]


async def _set(sim: Simulator, request: Request) -> Response:
    try:
        return _apply(sim, await request.json())
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)


def _apply(sim: Simulator, asked: Any) -> Response:
    if not isinstance(asked, dict) or not ({"latency"} == asked.keys() or {"fault", "upstream"} <= asked.keys()):
        raise FaultRefusedError('the body must be like {"fault": "html", "upstream": "binance"} or {"latency": 1}')
    if "latency" in asked:
        latency = asked["latency"]
        if not isinstance(latency, int | float) or not 0 <= latency <= 600:
            raise FaultRefusedError(f"latency={latency!r}: must be seconds from 0 to 600")
        sim.latency = float(latency)
        return JSONResponse({"latency": sim.latency})
    parameters = {key: value for key, value in asked.items() if key not in {"fault", "upstream"}}
    return JSONResponse(sim.set_fault(asked["fault"], asked["upstream"], **parameters).as_dict(), 201)
