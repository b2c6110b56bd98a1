"""Answers of a simulator that runs inside the test, without a socket."""

import httpx

from financehub_simulator.app import build_app
from financehub_simulator.state import Simulator

#: A Wednesday, 15:00 UTC: New York and London are open.
OPEN = 1_739_977_200.0


async def simulated_answer(path: str, *, at: float = OPEN, **headers: str) -> bytes:
    """Return the body of the simulator's answer to one request.

    Args:
        path: Path that begins with the name of the upstream, with the query: `/kraken/0/public/Ticker?pair=XBTUSD`.
        at: The simulator's time in Unix seconds.
        headers: Request headers.
    """
    simulator = Simulator(enforce_rate_limits=False, now=lambda: at)
    transport = httpx.ASGITransport(app=build_app(simulator))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator.test") as client:
        response = await client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return response.content
