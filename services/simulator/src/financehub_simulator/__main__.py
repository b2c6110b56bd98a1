"""`financehub-simulator --port 8099 --seed 7 --latency-ms 0`; `--tls-port`, `--proxy-port`, `--ca-dir` add HTTPS."""

import argparse
import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from financehub_simulator.certificates import ensure_certificates
from financehub_simulator.core import Simulator
from financehub_simulator.proxy import ConnectProxy
from financehub_simulator.server import Server, build_server


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: a port is a number from 0 (any) to 65535")
    return int(text)


def _latency(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 600_000:
        raise argparse.ArgumentTypeError(f"{text!r}: a latency is a number of milliseconds from 0 to 600000")
    return value


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("financehub-simulator", description="Every market-data upstream, on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=_port, default=8_099, help="0: any free port")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another market")
    parser.add_argument("--latency-ms", type=_latency, default=0.0, help="every answer waits that long")
    parser.add_argument("--no-limits", action="store_true", help="do not enforce the upstreams' rate limits")
    parser.add_argument("--always-open", action="store_true", help="stock prices are never older than the request")
    parser.add_argument("--tls-port", type=_port, help="serve HTTPS under the real host names too")
    parser.add_argument("--proxy-port", type=_port, help="a CONNECT proxy to it, for HTTPS_PROXY")
    parser.add_argument("--ca-dir", type=Path, help="where the certificate authority's ca.pem is written")
    options = parser.parse_args(arguments)
    if options.tls_port is not None and options.ca_dir is None:
        parser.error("--tls-port needs --ca-dir")
    if options.proxy_port is not None and options.tls_port is None:
        parser.error("--proxy-port needs --tls-port")
    return options


def _cannot_listen(host: str, port: int, error: OSError) -> NoReturn:
    reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
    sys.stderr.write(f"financehub-simulator: {host}:{port} {reason}; choose another\n")
    raise SystemExit(2) from None


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        _cannot_listen(host, port, error)


async def _run(options: argparse.Namespace) -> None:
    sim = Simulator(
        seed=options.seed,
        latency=options.latency_ms / 1_000,
        limited=not options.no_limits,
        always_open=options.always_open,
    )
    plain = _listen(options.host, options.port)
    serving: list[tuple[Server, socket.socket]] = [(build_server(sim), plain)]
    line = f"financehub-simulator: http://{options.host}:{plain.getsockname()[1]} seed={sim.seed}"
    proxy: ConnectProxy | None = None
    if options.tls_port is not None:
        certificates = ensure_certificates(options.ca_dir)
        secure = _listen(options.host, options.tls_port)
        serving.append((build_server(sim, certificates), secure))
        line += f" https://{options.host}:{secure.getsockname()[1]} ca={certificates.authority}"
        if options.proxy_port is not None:
            proxy = ConnectProxy(secure.getsockname()[:2])
            try:
                line += f" proxy=http://{options.host}:{await proxy.start(options.host, options.proxy_port)}"
            except OSError as error:
                _cannot_listen(options.host, options.proxy_port, error)

    def stop() -> None:
        if proxy is not None:
            proxy.stop()
        for server, _ in serving:
            server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in serving))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; exit code 0 then, 2 if a port is taken or an option is wrong."""
    asyncio.run(_run(_options(arguments)))


if __name__ == "__main__":
    main()
