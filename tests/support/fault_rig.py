"""A small fleet whose work is counted: workers, a scheduler, and a sender in the test process.

    with FaultRig(tmp_path, server.url) as rig:
        rig.warm_up()               # messages of the sender and of the schedules run
        server.restart()            # the fault
        counts = rig.settle()       # stops sending, and waits until everything that was accepted has run

The workers record each run in a file, so a Redis that forgets does not change the counts.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import redis

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.settings import load_settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.fault_counts import QUEUE, TASK, Counts
from support.processes import Started, end, launch
from support.redis_server import free_port
from support.schedules import resource, write
from support.waiting import eventually

TESTS = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
#: A worker without a heartbeat for so many seconds counts as dead.
SILENT_SECONDS = 10
#: Names of the schedules, which are due every second.
SCHEDULES = ("a", "b", "c")
#: Number of worker processes, and of threads of each. A worker holds as many messages.
WORKERS, THREADS = 2, 4
#: Seconds between two messages of the sender, and the longest duration of their work.
_SEND_SECONDS, _WORK_SECONDS = 0.03, 0.1
#: Age in milliseconds from which a worker skips a message. It is longer than every fault, and shorter than an hour.
_MAX_AGE_MS = 300_000
#: On a busy machine, the processes of several fleets that start together take half a minute to import their modules.
_START_SECONDS = 120.0
#: Everything that was accepted must have run after this time in seconds. Usually, it takes a few seconds.
_SETTLE_SECONDS = 90.0


class FaultRig(Started):
    """Processes, which a context manager starts and stops.

    Args:
        directory: Directory for logs, schedules and the file of the runs.
        url: URL of Redis, as settings take it.
        workers: Number of worker processes.
        settings: Settings of the processes, in addition to the URL.
        environments: Name of a process → additional environment variables of this process.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        *,
        workers: int = WORKERS,
        settings: Mapping[str, str] | None = None,
        environments: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.directory = directory
        self.url = url
        self._names = [f"worker-{number}" for number in range(workers)]
        self._runs_file = directory / "runs.jsonl"
        self._settings = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "RUNS_FILE": str(self._runs_file),
            "REDIS_URL": url,
            # A live worker may be silent for 8 s: the timeout of a command, and dramatiq's pause after it. The faults
            # last longer than this setting, so that reclaiming from live workers would be noticed.
            "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": str(SILENT_SECONDS),
            "FINANCEHUB_JANITOR_INTERVAL_SECONDS": "0.5",
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
            **(settings or {}),
        }
        self._environments = environments or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, int] = {}
        self._sender: _Sender | None = None

    def start(self) -> Self:
        """Start the processes and the sender."""
        folder = self.directory / "schedules"
        folder.mkdir()
        spec = {"task": TASK, "queue": QUEUE, "schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All"}
        write(folder, *(resource(name, **spec) for name in SCHEDULES))
        for name in self._names:
            self.start_worker(name)
        self.start_scheduler()
        self._sender = _Sender(self.broker())
        return self

    def start_worker(self, name: str) -> None:
        """Start a worker."""
        flags = ["-p", "1", "-t", str(THREADS), "--skip-logging", "--worker-shutdown-timeout", "10000"]
        self._start(name, [str(BIN / "dramatiq"), "support.counting_tier", *flags])

    def start_scheduler(self, name: str = "scheduler") -> None:
        """Start a scheduler."""
        self._start(name, [str(BIN / "financehub-scheduler"), "--schedules", str(self.directory / "schedules")])

    def broker(self) -> FinanceHubBroker:
        """Return a broker that only enqueues, as the command line or a user's program does."""
        return build_broker(load_settings({"REDIS_URL": self.url}))

    def client(self) -> "redis.Redis":
        """Return a client with the settings of the product."""
        return connect(self.url)

    def warm_up(self) -> Self:
        """Wait until messages of the sender and of every schedule run."""

        def runs_everywhere() -> bool:
            tags, due = self._runs()
            return len(tags) >= 20 and len({name for name, _ in due}) == len(SCHEDULES)

        eventually(runs_everywhere, "messages and due runs run", _START_SECONDS)
        return self

    def pause_sending(self) -> None:
        """Stop sending until `resume_sending`."""
        self.sender.sending.clear()

    def resume_sending(self) -> None:
        """Send again."""
        self.sender.sending.set()

    def wait_for_runs(self) -> None:
        """Wait until more messages of the sender and new due times of every schedule run, which ends a fault."""
        before, now = len(self._runs()[0]), int(time.time())

        def go_on() -> bool:
            tags, due = self._runs()
            return len(tags) >= before + 20 and len({name for name, at in due if at > now + 1}) == len(SCHEDULES)

        eventually(go_on, "messages and due runs run after the fault", _SETTLE_SECONDS)

    def latest_due_time(self) -> int:
        """Return the latest due time that has run, in Unix seconds."""
        return max(at for _, at in self._runs()[1])

    def settle(self) -> Counts:
        """Stop sending, wait until everything that was accepted has run, and return the counts.

        Whatever has not run when the time is up counts as lost or missing.
        """
        self.sender.stop()
        until = int(time.time())
        accepted = set(self.sender.accepted)

        def expected() -> set[tuple[str, int]]:
            _, due = self._runs()
            return {
                (name, at)
                for name in {name for name, _ in due}
                for at in range(min(at for each, at in due if each == name), until + 1)
            }

        def complete() -> bool:
            tags, due = self._runs()
            return accepted <= tags.keys() and expected() <= due.keys()

        limit = time.monotonic() + _SETTLE_SECONDS
        while not complete() and time.monotonic() < limit:
            time.sleep(0.1)
        if "scheduler" in self._processes:
            self.end("scheduler")
        # A message that would run twice is in the queue until its second run is acknowledged.
        limit = time.monotonic() + _SETTLE_SECONDS
        while held := self._held():
            assert time.monotonic() < limit, f"the queue is not empty: {held}"
            time.sleep(0.1)
        tags, due = self._runs()
        counted = Counter({(name, at): count for (name, at), count in due.items() if at <= until})
        return Counts.of(accepted, tags, expected(), counted)

    def lost(self) -> set[int]:
        """Return the numbers of the messages that Redis accepted from the sender and that have not run."""
        return set(self.sender.accepted) - self._runs()[0].keys()

    @property
    def sender(self) -> "_Sender":
        """The sender."""
        assert self._sender is not None
        return self._sender

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL."""
        end(self._processes.pop(name))

    def end(self, name: str) -> int:
        """Terminate a process with SIGTERM, and return its exit code."""
        process = self._processes[name]
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        del self._processes[name]
        return code

    def assert_alive(self) -> None:
        """Assert that no process has ended, and that none has logged an unforeseen error."""
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        assert not ended, f"ended: {', '.join(ended)}"
        for log in self.directory.glob("*.log"):
            assert "Traceback" not in log.read_text(encoding="utf-8"), f"{log.name} contains a traceback"

    def stop(self) -> None:
        """Stop everything in any state."""
        try:
            if self._sender is not None:
                self._sender.stop()
        finally:
            for process in self._processes.values():
                end(process)

    def _start(self, name: str, command: list[str]) -> None:
        self.ports[name] = free_port()
        environment = {**self._settings, **self._environments.get(name, {})}
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = launch(
                command,
                env={**environment, "FINANCEHUB_HTTP_PORT": str(self.ports[name])},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _held(self) -> dict[str, Any]:
        """Return what the queue holds, for the error message, or nothing if it is empty."""
        with self.client() as client:
            ids = {name: client.hkeys(keys.messages(name)) for name in (QUEUE, f"{QUEUE}.DQ")}
            if not any(ids.values()):
                return {}
            # only sets, because hostile keys may have such a name
            acks = client.scan_iter(match=keys.acks("*", "*"), count=1_000, _type="set")
            return {
                "messages": ids,
                "ready": client.lrange(keys.ready(QUEUE), 0, -1),
                "acks": {name: client.smembers(name) for name in acks},
                "heartbeats": client.zrange(keys.HEARTBEATS, 0, -1, withscores=True),
            }

    def _runs(self) -> tuple[Counter[int], Counter[tuple[str, int]]]:
        """Return the number of runs per tag, and per schedule and due time in Unix seconds."""
        tags: Counter[int] = Counter()
        due: Counter[tuple[str, int]] = Counter()
        if not self._runs_file.exists():
            return tags, due
        *lines, _ = self._runs_file.read_text(encoding="utf-8").split("\n")  # the last line may be incomplete
        for line in lines:
            run: dict[str, Any] = json.loads(line)
            if run["schedule"]:
                due[run["schedule"], run["due_at"] // 1000] += 1
            elif run["tag"] is not None:
                tags[run["tag"]] += 1
        return tags, due


class _Sender:
    """A thread that sends messages, each with its own number. It sends no message again whose result is unknown."""

    def __init__(self, broker: FinanceHubBroker) -> None:
        self._broker = broker
        self.accepted: list[int] = []
        self.refused: list[str] = []
        self.sending = threading.Event()
        self.sending.set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop for good."""
        self._stopped.set()
        self.sending.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the sender hangs in an enqueue"

    def _send(self) -> None:
        generator = random.Random(12)
        tag = 0
        while not self._stopped.wait(_SEND_SECONDS):
            self.sending.wait()
            tag += 1
            work = {"tag": tag, "seconds": generator.uniform(0, _WORK_SECONDS)}
            try:
                enqueue(self._broker, TASK, work, queue=QUEUE, options={"max_age": _MAX_AGE_MS})
            except StoreUnavailableError as error:
                self.refused.append(str(error))
            else:
                self.accepted.append(tag)
