"""The command `financehub-simulator`, which serves the simulator over HTTP and optionally over HTTPS with a proxy."""

import argparse
import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from financehub_simulator.certificates import create_certificates
from financehub_simulator.listeners import listen, url_host
from financehub_simulator.proxy import ConnectProxy
from financehub_simulator.server import Server, build_server
from financehub_simulator.state import Simulator


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use a number from 0 (any free port) to 65535")
    return int(text)


def _latency(text: str) -> float:
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1
    if not 0 <= milliseconds <= 600_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a latency; use a number of milliseconds from 0 to 600000")
    return milliseconds


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("financehub-simulator", description="Simulate every market data upstream locally.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1); `::` is all IPv4 and IPv6 addresses, and a name such as "
        "localhost is served on each of its addresses",
    )
    parser.add_argument("--port", type=_port, default=8_099, help="HTTP port, 0 for any free port (default: 8099)")
    parser.add_argument("--seed", type=int, default=7, help="seed that determines all prices and news (default: 7)")
    parser.add_argument("--latency-ms", type=_latency, default=0.0, help="delay of every response in milliseconds")
    parser.add_argument("--no-limits", action="store_true", help="do not enforce the rate limits of the upstreams")
    parser.add_argument("--always-open", action="store_true", help="give stock quotes the time of the request")
    parser.add_argument("--tls-port", type=_port, help="HTTPS port that serves the real host names")
    parser.add_argument("--proxy-port", type=_port, help="port of a CONNECT proxy to the HTTPS port, for HTTPS_PROXY")
    parser.add_argument("--ca-dir", type=Path, help="directory for the certificate of the authority (ca.pem)")
    options = parser.parse_args(arguments)
    if options.tls_port is not None and options.ca_dir is None:
        parser.error("--tls-port requires --ca-dir")
    if options.proxy_port is not None and options.tls_port is None:
        parser.error("--proxy-port requires --tls-port")
    return options


def _exit_because_of_port(host: str, port: int, error: OSError) -> NoReturn:
    reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
    sys.stderr.write(f"financehub-simulator: {url_host(host)}:{port} {reason}; choose another port\n")
    raise SystemExit(2) from None


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return listen(host, port)
    except OSError as error:
        _exit_because_of_port(host, port, error)


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{url_host(host)}:{port}"


async def _run(options: argparse.Namespace) -> None:
    simulator = Simulator(
        seed=options.seed,
        latency=options.latency_ms / 1_000,
        enforce_rate_limits=not options.no_limits,
        always_open=options.always_open,
    )
    host = options.host
    http = _listen(host, options.port)
    servers: list[tuple[Server, list[socket.socket]]] = [(build_server(simulator), http)]
    ready_line = f"financehub-simulator: {_url('http', host, http[0].getsockname()[1])} seed={simulator.seed}"
    proxy: ConnectProxy | None = None
    if options.tls_port is not None:
        certificates = create_certificates(options.ca_dir)
        tls = _listen(host, options.tls_port)
        servers.append((build_server(simulator, certificates), tls))
        ready_line += f" {_url('https', host, tls[0].getsockname()[1])} ca={certificates.authority}"
        if options.proxy_port is not None:
            proxy = ConnectProxy(tls[0].getsockname()[:2])
            ready_line += f" proxy={_url('http', host, await proxy.start(_listen(host, options.proxy_port)))}"

    def stop() -> None:
        if proxy is not None:
            proxy.stop()
        for server, _ in servers:
            server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    # A container blocks SIGTERM until there is a handler (deploy/docker/Dockerfile).
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    sys.stdout.write(f"{ready_line}\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve(sockets=listeners) for server, listeners in servers))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT and then exit with 0. Exit with 2 if a port is in use or an option is invalid."""
    asyncio.run(_run(parse_options(arguments)))


if __name__ == "__main__":
    main()
