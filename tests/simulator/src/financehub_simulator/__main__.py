"""`financehub-simulator --port 8099 --seed 7 --latency-ms 0`."""

import argparse
import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Sequence

from financehub_simulator.core import Simulator
from financehub_simulator.server import build_server


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text}: a port is a number from 0 to 65535")
    return port


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser("financehub-simulator", description="Every market-data upstream, on this machine.")
    found.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    found.add_argument("--port", type=_port, default=8_099, help="0: any free port")
    found.add_argument("--seed", type=int, default=7, help="another seed, another market")
    found.add_argument("--latency-ms", type=float, default=0.0, help="every answer waits that long")
    found.add_argument("--no-limits", action="store_true", help="do not enforce the upstreams' rate limits")
    found.add_argument("--always-open", action="store_true", help="stock prices are never older than the request")
    return found


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        sys.stderr.write(f"financehub-simulator: {host}:{port} {reason}; choose another with --port\n")
        raise SystemExit(2) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parser().parse_args(arguments)
    sim = Simulator(
        seed=options.seed,
        latency=options.latency_ms / 1_000,
        limited=not options.no_limits,
        always_open=options.always_open,
    )
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    server = build_server(sim, options.host, port)
    sys.stdout.write(f"financehub-simulator: http://{options.host}:{port} seed={sim.seed}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after it has shut down
        asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
