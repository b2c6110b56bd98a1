"""Tests of the scheduler process: files, flags, health and maintenance."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis.client import connect
from financehub_shared.schedules import list_schedules, refused_schedules
from support.metrics import lines
from support.redis_server import RedisServer
from support.schedules import SchedulerProcess, messages, resource, write
from support.waiting import eventually

ROOT = Path(__file__).parents[3]
Start = Callable[..., SchedulerProcess]


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start schedulers with a folder. They are stopped after the test."""
    running: list[SchedulerProcess] = []

    def begin(folder: Path, *arguments: str, data: str | None = None) -> SchedulerProcess:
        log = tmp_path / f"scheduler-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, folder, log, *arguments, data=data).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def get(process: SchedulerProcess, path: str) -> tuple[int, str]:
    """Send a request to the process's own server, and return status and body."""
    port = eventually(lambda: process.events("health_server_started"), "the server listens")[0]["port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_first_start_of_make_run_runs_each_fetch_once(
    redis_url: str, redis_client: "redis.Redis", start: Start
) -> None:
    """On the very first start only, the default schedules run each fetch once, after the assets are in the store."""
    arguments = (ROOT / "deploy/local/schedules", "--assets", str(ROOT / "deploy/local/assets.yaml"))
    expected = {
        *("fetch_crypto_prices_task", "fetch_stock_prices_task", "fetch_news_task"),
        *("calculate_indicators_task", "health_check_task"),
    }
    process = start(*arguments)

    def enqueued() -> set[str]:
        return {
            message["actor_name"] for queue in ("high", "medium", "low") for message in messages(redis_client, queue)
        }

    eventually(lambda: enqueued() >= expected, "first runs")
    # The assets come first, because otherwise the fetches would have none.
    assert process.events("assets_reconciled", "run_enqueued")[0]["event"] == "assets_reconciled"
    assert {asset.type for asset in RedisStore(connect(redis_url)).assets()} == {AssetType.CRYPTO, AssetType.STOCK}
    assert len(list_schedules(redis_client)) == len(CATALOG)
    process.stop()
    again = start(*arguments)
    eventually(lambda: again.events("schedules_registered"), "second start")
    eventually(lambda: get(again, "/readyz")[0] == 200, "ready")
    assert not [event for event in again.events("run_enqueued") if event["kind"] == "annotation"]


def test_changes_of_files_take_effect_while_it_runs(redis_client: "redis.Redis", tmp_path: Path, start: Start) -> None:
    """New, changed, invalid and deleted files take effect within seconds, and refused documents are listed."""
    folder = tmp_path / "schedules"
    folder.mkdir()
    write(folder, resource("bad", schedule="0 0 31 2 *"), resource("good"))
    process = start(folder)

    def specs() -> dict[str, object]:
        return {each.name: each.spec["schedule"] for each in list_schedules(redis_client)}

    eventually(lambda: specs() == {"default/good": "@yearly"}, "the valid one runs next to the invalid one")
    eventually(lambda: refused_schedules(redis_client), "the invalid one is listed")
    (event,) = eventually(lambda: process.events("schedule_refused"), "the refusal is logged")
    assert event["file"] == str(folder / "schedules.yaml")
    lines = (folder / "schedules.yaml").read_text().splitlines()
    assert "0 0 31 2 *" in lines[event["line"] - 1]
    assert "February has no day 31" in event["problem"]
    write(folder, resource("bad", schedule="0 0 28 2 *"), resource("good", schedule="@daily"))
    eventually(lambda: specs() == {"default/bad": "0 0 28 2 *", "default/good": "@daily"}, "edits are in effect")
    eventually(lambda: not refused_schedules(redis_client), "nothing is refused anymore")
    write(folder, resource("bad", schedule="0 0 28 2 *"))
    eventually(lambda: specs() == {"default/bad": "0 0 28 2 *"}, "a deletion is in effect")
    assert process.stop() == 0


def test_first_triggers_wait_for_the_declared_assets(
    redis_client: "redis.Redis", redis_server: Callable[..., RedisServer], tmp_path: Path, start: Start
) -> None:
    """If the data Redis is unavailable, due runs continue and triggers wait until the declared assets are stored."""
    data = redis_server()
    data.kill()
    folder = tmp_path / "schedules"
    folder.mkdir()
    write(folder, resource("first", {"financehub.io/trigger": "1"}), resource("due", schedule="@every 1s", queue="due"))
    assets = str(ROOT / "deploy/local/assets.yaml")
    process = start(folder, "--assets", assets, data=data.url)
    eventually(lambda: redis_client.llen("dramatiq:due"), "a due run")
    eventually(lambda: process.events("assets_read_failed"), "the outage is logged")
    # At least one check for triggers has passed.
    held = redis_client.llen("dramatiq:due")
    eventually(lambda: process.events("run_skipped") or redis_client.llen("dramatiq:due") > held, "another second")
    assert redis_client.llen("dramatiq:q") == 0
    data.start()
    eventually(lambda: redis_client.llen("dramatiq:q"), "the trigger")
    assert RedisStore(data.client()).assets()


def test_schedule_with_unknown_symbol_waits_for_the_asset(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path, start: Start
) -> None:
    """A schedule with an unknown symbol shows the field and runs by itself once the asset exists."""
    folder = tmp_path / "schedules"
    folder.mkdir()
    narrowed = {"task": "fetch_crypto_prices_task", "kwargs": {"symbols": ["NEW-USD"]}}
    first = {"financehub.io/trigger": "1"}
    write(folder, resource("narrowed", first, **narrowed), resource("free", first, task="fetch_crypto_prices_task"))
    process = start(folder)

    def fired() -> list[str]:
        return [message["options"]["schedule"] for message in messages(redis_client, "high")]

    def problem() -> str:
        return {each.name: each.problem for each in list_schedules(redis_client)}.get("default/narrowed", "")

    eventually(fired, "the other fires")
    eventually(lambda: "argument 'symbols.0': unknown symbol 'NEW-USD'" in problem(), "the field is named")
    assert fired() == ["default/free"]
    RedisStore(connect(redis_url)).put_assets([Asset("NEW-USD", AssetType.CRYPTO)])
    eventually(lambda: "default/narrowed" in fired(), "it fires")
    eventually(lambda: not problem(), "and has no problem anymore")
    assert len(process.events("schedule_refused")) == 1


def test_server_serves_probes_and_metrics(tmp_path: Path, start: Start) -> None:
    """Liveness, readiness and metrics are served, and the metrics have the schedule's next run."""
    folder = tmp_path / "schedules"
    folder.mkdir()
    write(folder, resource("demo"))
    process = start(folder)
    eventually(lambda: get(process, "/readyz")[0] == 200, "ready")
    assert get(process, "/livez")[0] == 200
    name = 'financehub_schedule_next_run_timestamp_seconds{scheduledtask="default/demo"}'
    eventually(lambda: any(line.startswith(name) for line in lines(get(process, "/metrics")[1])), "the metric is there")
    scrape = lines(get(process, "/metrics")[1])
    assert any(line.startswith("financehub_queue_messages{") for line in scrape)
    assert 'financehub_schedules{state="active"} 1.0' in scrape


def test_janitor_without_workers_reclaims_messages(
    redis_client: "redis.Redis", tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead worker's messages return to their queue although no worker runs, and are counted."""
    monkeypatch.setenv("FINANCEHUB_JANITOR_INTERVAL_SECONDS", "1")
    folder = tmp_path / "schedules"
    folder.mkdir()
    redis_client.hset("dramatiq:high.msgs", "held", json.dumps({"queue_name": "high"}))
    redis_client.sadd("dramatiq:__acks__.dead-worker.high", "held")
    redis_client.zadd("dramatiq:__heartbeats__", {"dead-worker": 1})
    process = start(folder)
    eventually(lambda: redis_client.lrange("dramatiq:high", 0, -1) == [b"held"], "reclaimed")
    counted = 'financehub_queue_reclaimed_total{queue="high"} 1.0'
    eventually(lambda: counted in lines(get(process, "/metrics")[1]), "counted")


def run_until_exit(*arguments: str, **environment: str) -> tuple[int, str]:
    """Return the exit code and output of a scheduler that exits by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FINANCEHUB_", "REDIS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "financehub_scheduler", *arguments],
        env={**clean, "FINANCEHUB_HTTP_PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (("--schedules", "/nowhere"), {}, "--schedules /nowhere: is not a folder"),
        (("--schedules", "."), {"FINANCEHUB_JANITOR": "1"}, "FINANCEHUB_JANITOR: unknown variable"),
        (("--schedules", ".", "--broker", "http://localhost"), {}, "DRAMATIQ_BROKER_URL="),
    ],
)
def test_invalid_flag_or_setting_ends_the_process(
    arguments: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    """An invalid flag or setting makes the process exit with code 2 and one line that names it."""
    code, output = run_until_exit(*arguments, **environment)
    assert code == 2
    assert len(output.splitlines()) == 1
    assert message in output


def test_port_in_use_without_redis_ends_the_process(tmp_path: Path) -> None:
    """An HTTP port in use makes the process exit with one line that names the setting, even without Redis."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, output = run_until_exit(
            "--schedules", str(tmp_path), FINANCEHUB_HTTP_PORT=port, FINANCEHUB_HTTP_HOST="127.0.0.1"
        )
    assert code == 2
    assert len(output.splitlines()) == 1, output
    assert f"FINANCEHUB_HTTP_PORT={port}" in output


def test_refused_password_is_not_logged(redis_server: Callable[..., RedisServer], tmp_path: Path) -> None:
    """A scheduler waits for a Redis that refuses its password, and no log line contains the password."""
    log = tmp_path / "log"
    server = redis_server()
    server.client().config_set("requirepass", "another")
    process = SchedulerProcess(server.url.replace("redis://", "redis://:hunter2-secret@"), tmp_path, log).start()
    try:
        eventually(lambda: process.events("redis_unavailable"), "the refusal is logged")
        assert process.stop() == 0
    finally:
        process.end()
    assert "hunter2" not in log.read_text()
