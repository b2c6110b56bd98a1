"""Tests a real worker that reads hostile feeds: it stays responsive, reads the other feeds, and leaves no process."""

import contextlib
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from financehub_shared.market.redis_store import RedisStore
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.hostile_feeds import HOSTILE_FEEDS
from support.waiting import eventually

#: The largest body that is accepted.
SIZE = 1_999_000
#: The constructs that take the longest time to parse. The last one exceeds the limit of CPU time.
CONSTRUCTS = ("text of author", "blank lines before the root", "entries with long broken titles")
#: If feedparser ran in a thread, the worker would not answer for more than a minute. The test machine may be busy.
SILENT_SECONDS_MAX = 20.0
GOOD = (
    "<rss version='2.0'><channel><title>Good</title><item><title>{title}</title><link>/?q={title}</link></item>"
    "</channel></rss>"
)
TITLES = ("Bitcoin rises", "Oil falls as supply grows")


@contextlib.contextmanager
def serving(bodies: Mapping[str, bytes]) -> Iterator[str]:
    """Serve each body at its path, and yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies[self.path]
            self.send_response(200)
            self.send_header("content-type", "application/rss+xml")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Probe:
    """Repeatedly requests a process's liveness, and keeps the longest time that an answer took."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.longest = 0.0
        self.answers = 0
        self._url = f"http://127.0.0.1:{fleet.ports[name]}/livez"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        eventually(self._answers, "the worker answers", ignored=OSError)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _answers(self) -> bool:
        with urllib.request.urlopen(self._url, timeout=60) as answer:  # noqa: S310 — our own URL
            return bool(answer.status == 200)

    def _ask(self) -> None:
        while not self._ended.wait(0.02):
            started = time.monotonic()
            assert self._answers()
            self.longest = max(self.longest, time.monotonic() - started)
            self.answers += 1


def parsers_of(session: int) -> set[int]:
    """Return the process ids of the parser processes of a worker, which has its own session."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has just ended
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and b"rss.parser_child" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def test_worker_with_hostile_feeds_stays_responsive_and_reads_the_others(fleet: StartFleet) -> None:
    """N1: while the largest hostile bodies are parsed, the worker answers at once. A feed over the limit fails with a
    sentence, is not fetched again in the next run, and does not delay other feeds. The parser process ends with its
    worker.
    """
    hostile = {f"/hostile/{number}": HOSTILE_FEEDS[name](SIZE) for number, name in enumerate(CONSTRUCTS)}
    good = {f"/good/{number}": GOOD.format(title=title).encode() for number, title in enumerate(TITLES)}
    with serving({**hostile, **good}) as base:
        feeds = ",".join(f"{base}{path}" for path in (*hostile, *good))
        running = fleet(FINANCEHUB_RSS_FEEDS=feeds, FINANCEHUB_NEWS_PROVIDERS="rss")
        running.start_tier("medium")
        session = running.pid("medium")
        with Probe(running, "medium") as probe:
            first = running.cli("run", "fetch_news_task")
        second = running.cli("run", "fetch_news_task")
    host = base.removeprefix("http://")
    limited = f"{host}/hostile/{len(CONSTRUCTS) - 1}"
    assert first["state"] == second["state"] == "succeeded"
    assert "parsing took more than 2 s of CPU time" in first["summary"]["missing"][limited]
    assert second["summary"]["missing"][limited].startswith("breaker-open")
    assert set(TITLES) <= {item.title for item in RedisStore(running.redis()).news(limit=100)}
    assert probe.answers > 20
    assert probe.longest < SILENT_SECONDS_MAX
    assert len(parsers_of(session)) == 1
    running.terminate("medium")
    eventually(lambda: not parsers_of(session), "the parser process has ended")
