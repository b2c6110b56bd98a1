"""Runs a simulator for tests and benchmarks."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from financehub_simulator.client_settings import settings_for
from financehub_simulator.server import build_server
from financehub_simulator.state import Simulator

_STOP_TIMEOUT_SECONDS = 10.0


class RunningSimulator:
    """A simulator on a free port, in a thread or in its own process. It is a context manager.

    Args:
        seed: Seed of the market.
        latency: Delay of every response in seconds.
        enforce_rate_limits: Whether the rate limits of the upstreams are enforced. `reset` restores the full limits.
        always_open: Whether stock quotes carry the request time, so that tests do not depend on trading hours.
        now: Wall clock in Unix seconds. Only a simulator in a thread can use it.
        process: Whether to use a process, which starts 0.3 s later and does not compete for the caller's interpreter.
            Benchmarks need this.
        ca_directory: Directory for the CA certificate. If it is given, the simulator runs in its own process and also
            serves the real host names over HTTPS, with a CONNECT proxy.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        latency: float = 0.0,
        enforce_rate_limits: bool = True,
        always_open: bool = True,
        now: Callable[[], float] = time.time,
        process: bool = False,
        ca_directory: Path | None = None,
    ) -> None:
        #: State of the simulator. It is effective only if the simulator runs in a thread.
        self.state = Simulator(
            seed=seed, latency=latency, enforce_rate_limits=enforce_rate_limits, always_open=always_open, now=now
        )
        self._ca_directory = ca_directory
        self._in_process = process or ca_directory is not None
        self._stop: Callable[[], None] | None = None
        #: Id of the simulator's own process, if it has one.
        self.pid: int | None = None
        self.base_url = ""
        self.proxy_url = ""

    def __enter__(self) -> Self:
        if self._in_process:
            self._start_process()
        else:
            self._start_thread()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None:
            self._stop()

    def _start_thread(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = build_server(self.state)
        thread = threading.Thread(target=server.run, args=([listener],), name="simulator", daemon=True)
        thread.start()

        def stop() -> None:
            server.stop()
            thread.join(_STOP_TIMEOUT_SECONDS)
            listener.close()

        self._stop = stop

    def _start_process(self) -> None:
        flags = [
            *(() if self.state.enforce_rate_limits else ("--no-limits",)),
            *(("--always-open",) if self.state.always_open else ()),
        ]
        if self._ca_directory is not None:
            flags += ["--tls-port", "0", "--proxy-port", "0", "--ca-dir", str(self._ca_directory)]
        options = [
            "--port",
            "0",
            "--seed",
            str(self.state.seed),
            "--latency-ms",
            str(self.state.latency * 1_000),
            *flags,
        ]
        command = [sys.executable, "-m", "financehub_simulator", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stop = lambda: _terminate(process)
        self.pid = process.pid
        assert process.stdout is not None
        ready_line = process.stdout.readline().split()
        if not ready_line:
            process.wait(_STOP_TIMEOUT_SECONDS)
            raise RuntimeError(f"the simulator exited with {process.returncode} before it was ready")
        self.base_url = ready_line[1]
        self.proxy_url = next((word.removeprefix("proxy=") for word in ready_line if word.startswith("proxy=")), "")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point every provider to this simulator."""
        return settings_for(self.base_url)

    @property
    def proxy_environment(self) -> dict[str, str]:
        """The environment variables that make unmodified clients of the real hosts use this simulator.

        Raises:
            RuntimeError: `ca_directory` was not given.
        """
        if self._ca_directory is None:
            raise RuntimeError("RunningSimulator has no proxy; pass a ca_directory")
        authority = str(self._ca_directory / "ca.pem")
        return {
            "HTTPS_PROXY": self.proxy_url,
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), authority),
        }

    def url(self, upstream: str) -> str:
        """Return the base URL of one upstream, as its setting expects it."""
        return f"{self.base_url}/{upstream}"

    def set_fault(
        self,
        name: str,
        upstream: str,
        *,
        symbol: str | None = None,
        endpoint: str | None = None,
        times: int | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Activate a fault of the catalog.

        Args:
            name: Its name in `faults.FAULTS`.
            upstream: Name of the affected upstream, such as `binance`.
            symbol: The only affected symbol, in the upstream's spelling or in ours, or the name of a feed. None affects
                all requests.
            endpoint: Prefix of the affected paths, as the upstream documents them.
            times: Number of requests to affect. None affects all requests until the next reset.
            parameters: Parameters that differ from the catalog's defaults (`retry_after=3`).

        Raises:
            ValueError: The fault does not exist or an argument is invalid.
        """
        body = {
            "fault": name,
            "upstream": upstream,
            "symbol": symbol,
            "endpoint": endpoint,
            "times": times,
            **parameters,
        }
        active: dict[str, Any] = self._control("POST", "", body)
        return active

    def set_latency(self, seconds: float) -> None:
        """Delay every response by `seconds`."""
        self._control("POST", "", {"latency": seconds})

    def request_counts(self, upstream: str | None = None) -> dict[str, Any]:
        """Return the number of requests since the last reset.

        The result maps upstream → endpoint → count, or endpoint → count if one upstream is given.
        """
        counts: dict[str, Any] = self._control("GET", "/requests")
        return counts if upstream is None else counts.get(upstream, {})

    def request_log(self) -> list[dict[str, Any]]:
        """Return the last 5,000 requests since the reset, oldest first. `symbols` counts the symbols."""
        entries: list[dict[str, Any]] = self._control("GET", "/requests?detail=1")
        return entries

    def reset(self) -> None:
        """Clear faults, request counts and used rate limits, and restore the initial latency."""
        self._control("DELETE", "")

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base_url}/_control{path}", data, method=method)  # noqa: S310 — our own server
        try:
            with _OPENER.open(request, timeout=60) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.loads(error.read())["error"]) from None
        return json.loads(content) if content else None


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


#: An opener that ignores any proxy that a test has set in the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
