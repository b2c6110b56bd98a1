"""A running simulator for tests and benches."""

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

from financehub_simulator.core import Simulator
from financehub_simulator.upstreams.rss import FEEDS

_WITHIN = 10.0


def settings_for(url: str) -> dict[str, str]:
    """The environment variables that point every upstream at the simulator at `url`."""
    url = url.rstrip("/")
    named = {
        f"FINANCEHUB_{name.upper()}_URL": f"{url}/{name}"
        for name in ("binance", "coingecko", "kraken", "finnhub", "yahoo", "gdelt")
    }
    return {
        **named,
        "FINANCEHUB_SIMULATED": "true",
        "FINANCEHUB_RSS_FEEDS": ",".join(f"{url}/rss/{name}" for name in FEEDS),
        "FINANCEHUB_FINNHUB_API_KEY": "simulated-key",
    }


class RunningSimulator:
    """A simulator on a free port, in a thread or (`process=True`) in a process of its own; a context manager.

    Args:
        seed: of the market.
        latency: seconds every answer waits.
        limited: whether the upstreams' own rate limits are enforced; `reset()` gives them back.
        always_open: stock quotes carry the time of the request, so that a test does not depend on the hour it runs at.
        now: wall clock, Unix seconds; for a thread only.
        process: a process costs 0.3 s more, and its work does not compete for the caller's interpreter: for benches.
        ca_directory: also serve HTTPS under the real host names, with a CONNECT proxy to it; implies a process.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        latency: float = 0.0,
        limited: bool = True,
        always_open: bool = True,
        now: Callable[[], float] = time.time,
        process: bool = False,
        ca_directory: Path | None = None,
    ) -> None:
        self._sim = Simulator(seed=seed, latency=latency, limited=limited, always_open=always_open, now=now)
        self._ca_directory = ca_directory
        self._in_process = process or ca_directory is not None
        self._stop: Callable[[], None] | None = None
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
        from financehub_simulator.server import build_server

        listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = build_server(self._sim)
        thread = threading.Thread(target=server.run, args=([listener],), name="simulator", daemon=True)
        thread.start()

        def stop() -> None:
            server.stop()
            thread.join(_WITHIN)
            listener.close()

        self._stop = stop

    def _start_process(self) -> None:
        sim = self._sim
        flags = [*(() if sim.limited else ("--no-limits",)), *(("--always-open",) if sim.always_open else ())]
        if self._ca_directory is not None:
            flags += ["--tls-port", "0", "--proxy-port", "0", "--ca-dir", str(self._ca_directory)]
        options = ["--port", "0", "--seed", str(sim.seed), "--latency-ms", str(sim.latency * 1_000), *flags]
        command = [sys.executable, "-m", "financehub_simulator", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stop = lambda: _end(process)
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        if not ready:
            process.wait(_WITHIN)
            raise RuntimeError(f"the simulator ended with {process.returncode} before it was ready")
        self.base_url = ready[1]
        self.proxy_url = next((word.removeprefix("proxy=") for word in ready if word.startswith("proxy=")), "")

    @property
    def environment(self) -> dict[str, str]:
        """`settings_for` this simulator."""
        return settings_for(self.base_url)

    @property
    def proxy_environment(self) -> dict[str, str]:
        """Variables with which unchanged clients of the real hosts reach this simulator (`ca_directory` is set)."""
        if self._ca_directory is None:
            raise RuntimeError("RunningSimulator has no proxy: give it a ca_directory")
        authority = str(self._ca_directory / "ca.pem")
        return {
            "HTTPS_PROXY": self.proxy_url,
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), authority),
        }

    def url(self, upstream: str) -> str:
        """Base URL of one upstream, as its setting takes it."""
        return f"{self.base_url}/{upstream}"

    def fault(
        self,
        name: str,
        upstream: str,
        *,
        symbol: str | None = None,
        endpoint: str | None = None,
        times: int | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Make a fault of the catalogue happen.

        Args:
            name: its name in `faults.FAULTS`.
            upstream: `binance`, ….
            symbol: only for requests that name it (the upstream's spelling or ours; a feed's name); None: all.
            endpoint: only for paths that begin with this, as the upstream documents them.
            times: for that many requests; None: until reset.
            parameters: as the catalogue lists them (`retry_after=3`).

        Raises:
            ValueError: there is no such fault.
        """
        asked = {
            "fault": name,
            "upstream": upstream,
            "symbol": symbol,
            "endpoint": endpoint,
            "times": times,
            **parameters,
        }
        answer: dict[str, Any] = self._control("POST", "", asked)
        return answer

    def latency(self, seconds: float) -> None:
        """Let every answer wait."""
        self._control("POST", "", {"latency": seconds})

    def requests(self, upstream: str | None = None) -> dict[str, Any]:
        """Requests since the last reset: upstream → endpoint → number; of one upstream: endpoint → number."""
        counts: dict[str, Any] = self._control("GET", "/requests")
        return counts if upstream is None else counts.get(upstream, {})

    def log(self) -> list[dict[str, Any]]:
        """The last 5,000 requests since the reset, oldest first; `symbols` is how many were asked for."""
        entries: list[dict[str, Any]] = self._control("GET", "/requests?detail=1")
        return entries

    def reset(self) -> None:
        """Forget faults, counts and used-up limits, take back the latency."""
        self._control("DELETE", "")

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base_url}/_control{path}", data, method=method)  # noqa: S310 — our own server
        try:
            with _OPENER.open(request, timeout=10) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.loads(error.read())["error"]) from None
        return json.loads(content) if content else None


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


#: Without the proxy that tests may have put into the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
