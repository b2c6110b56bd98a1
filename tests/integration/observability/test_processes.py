"""Tests with real worker processes: signals, draining, crashes, and all their output."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis

from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.settings import load_settings
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.worker.build import build_broker
from support.metrics import lines
from support.processes import end, launch
from support.redis_server import free_port
from support.waiting import eventually

pytestmark = pytest.mark.faults

TESTS = Path(__file__).parents[2]
SECRETS = {"REDIS_PASSWORD": "plain-passw0rd", "FINANCEHUB_FINNHUB_API_KEY": "finnhub-k3y"}
URL_PASSWORD = "url-passw0rd"


class Process:
    """A `dramatiq support.observed` process with its output in files.

    Args:
        url: URL of the queue Redis.
        folder: Folder for the output.
        port: Port of the health server.
    """

    def __init__(self, url: str, folder: Path, port: int, **environ: str) -> None:
        self.port = port
        self.out, self.err = folder / f"{port}.out", folder / f"{port}.err"
        fixed = {
            "OBSERVED_WORKER": "1",
            "PYTHONPATH": str(TESTS),
            "REDIS_URL": url,
            "FINANCEHUB_HTTP_PORT": str(port),
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
            "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": "1",
        }
        command = [sys.executable, "-m", "dramatiq", "support.observed", "-p", "1", "-t", "2", "--skip-logging"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = launch(
                command, env=os.environ | fixed | environ, stdout=out, stderr=err, start_new_session=True
            )

    def get(self, path: str, timeout: float = 30) -> tuple[int, str]:
        """Return the status and body of a response, or 0 and the error."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_until_ready(self) -> "Process":
        """Wait until the process is ready, and return self."""
        eventually(lambda: self.get("/readyz")[0] == 200)
        return self

    def lines(self) -> list[dict[str, Any]]:
        """Return the parsed log lines."""
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def kill(self) -> None:
        """Send SIGKILL to parent and child."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """Send SIGTERM to the parent, as the kubelet does."""
        self._process.terminate()

    def wait(self) -> int:
        """Wait until the process exits, and return the exit code."""
        return self._process.wait(60)

    def stop(self) -> None:
        """Stop the process in any state."""
        end(self._process)


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a function that starts workers, which are stopped after the test."""
    processes: list[Process] = []

    def run(port: int = 0, url: str = redis_url, **environ: str) -> Process:
        processes.append(Process(url, tmp_path, port or free_port(), **environ))
        return processes[-1]

    yield run
    for process in processes:
        process.stop()


def enqueue(url: str, task: str) -> "dramatiq.Message[Any]":
    """Enqueue a task by name, as another process would."""
    broker = build_broker(load_settings({"REDIS_URL": url}))
    return broker.enqueue(dramatiq.Message("high", task, (), {}, {}))


def counts(monitor: TaskMonitor, task: str) -> dict[str, int]:
    """Return the counters of a task that are not 0."""
    names = ("running", "succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
    stats = monitor.get_all_stats().get(task)
    return {name: getattr(stats, name) for name in names if getattr(stats, name, 0)}


def test_run_of_a_killed_worker_is_counted_once_after_redelivery(
    redis_url: str, redis_client: "redis.Redis", start: Callable[..., Process]
) -> None:
    """After its worker was killed, a run is shown as running. It finishes once, in the worker that gets it again."""
    monitor = TaskMonitor(redis_client)
    first = start().wait_until_ready()
    message = enqueue(redis_url, "wait")
    # The run is counted before its function begins. A worker that is killed in between has begun nothing.
    eventually(lambda: redis_client.llen("began") == 1)
    eventually(lambda: counts(monitor, "wait") == {"running": 1})
    first.kill()
    started_by = monitor.get_run(message.message_id)
    start().wait_until_ready()
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=5, dead_letter_retention_days=7, recovery_seconds=0)
    # The janitor does not run again, because the second worker may send its heartbeats late on a busy machine.
    eventually(lambda: janitor.run().get("high") or redis_client.llen("began") == 2)
    eventually(lambda: redis_client.llen("began") == 2)
    redis_client.set("go", 1)
    eventually(lambda: counts(monitor, "wait") == {"succeeded": 1})
    run = monitor.get_run(message.message_id)
    assert run is not None
    assert started_by is not None
    assert run.state is RunState.SUCCEEDED
    assert run.worker != started_by.worker


def test_worker_after_sigterm_serves_http_until_it_is_drained(
    redis_url: str, redis_client: "redis.Redis", start: Callable[..., Process]
) -> None:
    """After SIGTERM, with a running task, the worker is alive, not ready and draining. Then it exits with code 0."""
    process = start().wait_until_ready()
    enqueue(redis_url, "wait")
    eventually(lambda: redis_client.llen("began"))
    assert "financehub_worker_draining 0.0" in lines(process.get("/metrics")[1])
    process.terminate()
    eventually(lambda: process.get("/readyz")[0] == 503)
    assert process.get("/livez")[0] == 200
    metrics = lines(process.get("/metrics")[1])
    assert "financehub_worker_draining 1.0" in metrics
    assert 'financehub_worker_slots_busy{queue="high"} 1.0' in metrics
    assert process.get("/api/health/")[0] in {200, 503}
    redis_client.set("go", 1)
    assert process.wait() == 0
    assert counts(TaskMonitor(redis_client), "wait") == {"succeeded": 1}
    assert redis_client.keys(keys.process("*")) == [], "the worker has not deregistered"


def test_worker_with_a_used_port_exits_with_code_2(start: Callable[..., Process]) -> None:
    """The second worker on a port exits with code 2 and one line that names the variable."""
    first = start().wait_until_ready()
    second = start(port=first.port)
    assert second.wait() == 2
    errors = second.err.read_text()
    assert errors.count(f"FINANCEHUB_HTTP_PORT={first.port}") == 1
    assert "in use" in errors
    assert "Traceback" not in errors


def test_liveness_of_a_stopped_process_fails(start: Callable[..., Process]) -> None:
    """A process that is stopped by SIGSTOP does not respond to /livez until it continues."""
    process = start().wait_until_ready()
    os.killpg(process._process.pid, signal.SIGSTOP)
    # A busy machine delivers the signal late, and a stopped process stays stopped.
    eventually(lambda: process.get("/livez", timeout=0.5)[0] == 0)
    os.killpg(process._process.pid, signal.SIGCONT)
    eventually(lambda: process.get("/livez")[0] == 200)


def test_worker_logs_one_json_line_per_run(
    redis_url: str, redis_client: "redis.Redis", start: Callable[..., Process]
) -> None:
    """Every line on stdout is JSON with the tier. A finished run is one line with its context, outcome and summary."""
    process = start().wait_until_ready()
    message = enqueue(redis_url, "quick")
    failing = enqueue(redis_url, "fail")
    eventually(lambda: {"quick", "fail"} <= set(TaskMonitor(redis_client).get_all_stats()))
    process.terminate()
    assert process.wait() == 0
    lines = process.lines()
    assert {line["tier"] for line in lines} == {"high"}
    assert all({"timestamp", "level", "event", "logger"} <= set(line) for line in lines)
    (line,) = [line for line in lines if line.get("message_id") == message.message_id]
    assert (line["event"], line["outcome"], line["attempt"]) == ("task_succeeded", "succeeded", 1)
    assert (line["task"], line["queue"], line["correlation_id"]) == ("quick", "high", message.message_id)
    assert line["summary"]["stored"] == 1
    assert line["duration"] >= 0
    (line,) = [line for line in lines if line.get("message_id") == failing.message_id]
    assert (line["event"], line["level"]) == ("task_dead_lettered", "error")
    assert "Traceback" in line["exception"]


def test_worker_without_redis_is_alive_and_not_ready(
    redis_server: Callable[..., Any], start: Callable[..., Process]
) -> None:
    """While Redis is unavailable a worker is alive but not ready. It is ready again when Redis is back."""
    server = redis_server()
    process = start(url=server.url).wait_until_ready()
    server.kill()
    eventually(lambda: process.get("/readyz")[0] == 503)
    eventually(lambda: "does not answer" in process.get("/readyz")[1])
    assert process.get("/livez")[0] == 200
    server.start()
    eventually(lambda: process.get("/readyz")[0] == 200)


def test_worker_with_secrets_in_errors_masks_them_everywhere(
    redis_server: Callable[..., Any], start: Callable[..., Process]
) -> None:
    """If a task's error contains the Redis URL and an API key, no output, record, metric or response contains them."""
    server = redis_server()
    server.client().config_set("requirepass", URL_PASSWORD)
    url = server.url.replace("redis://", f"redis://:{URL_PASSWORD}@")
    client = redis.Redis.from_url(url)
    process = start(url=url, **SECRETS).wait_until_ready()
    enqueue(url, "fail")
    monitor = TaskMonitor(client)
    eventually(lambda: counts(monitor, "fail") == {"failed": 1, "dead_lettered": 1})
    answers = [process.get(path)[1] for path in ("/api/health/", "/metrics", "/livez", "/queues/high")]
    process.terminate()
    process.wait()
    records = [str(client.hgetall(key)) for key in client.keys("financehub:*") if client.type(key) == b"hash"]
    everything = "\n".join([process.out.read_text(), process.err.read_text(), *answers, *records])
    assert "cannot reach redis://:***@" in everything
    secrets = [URL_PASSWORD, *SECRETS.values()]
    assert [secret for secret in secrets if secret in everything] == []


def test_worker_metrics_cover_success_and_dead_letter(
    redis_url: str, redis_client: "redis.Redis", start: Callable[..., Process]
) -> None:
    """After a success and a dead letter, the scrape has each count, wait and duration, labeled with queue and actor."""
    process = start().wait_until_ready()
    enqueue(redis_url, "quick")
    enqueue(redis_url, "fail")
    monitor = TaskMonitor(redis_client)
    eventually(lambda: counts(monitor, "quick") == {"succeeded": 1})
    eventually(lambda: counts(monitor, "fail") == {"failed": 1, "dead_lettered": 1})
    expected = {
        'financehub_messages_total{actor="quick",outcome="succeeded",queue="high"} 1.0',
        'financehub_messages_total{actor="fail",outcome="dead-lettered",queue="high"} 1.0',
        'financehub_message_failures_total{actor="fail",exception="RuntimeError"} 1.0',
        'financehub_messages_dead_lettered_total{actor="fail",queue="high",reason="retries-exhausted"} 1.0',
        'financehub_message_wait_seconds_count{actor="quick",queue="high"} 1.0',
        'financehub_message_duration_seconds_count{actor="quick",outcome="succeeded",queue="high"} 1.0',
        'financehub_worker_slots{queue="high"} 2.0',
        'financehub_worker_slots_busy{queue="high"} 0.0',
        'financehub_longest_running_message_seconds{actor="quick"} 0.0',
        "financehub_worker_draining 0.0",
        'financehub_messages_started_total{actor="quick",queue="high"} 1.0',
        'financehub_messages_started_late_total{actor="quick",queue="high"} 0.0',
        'financehub_messages_total{actor="wait",outcome="dead-lettered",queue="high"} 0.0',
        'financehub_message_time_limit_seconds{actor="quick"} 300.0',
        'financehub_redis_up{server="queues"} 1.0',
    }
    eventually(lambda: expected <= lines(process.get("/metrics")[1]))
