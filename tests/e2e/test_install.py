"""Tests that one command installs the chart into an empty namespace with restricted Pod Security, and data arrives."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.release import NAME, PROCESSES, TIERS, Release
from e2e.report import note, timed
from financehub_scheduler.api.manifests.schedules import schedule_name
from financehub_shared.core.catalog import CATALOG

#: Task → its tier.
TASKS = {spec.name: str(spec.queue) for spec in CATALOG.values()}
#: Daily schedules, which the test runs with the trigger annotation instead of waiting for a day.
DAILY = [schedule_name(spec) for spec in CATALOG.values() if spec.schedule == "@daily"]


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release that `helm install --wait` has installed into an empty namespace. One per module."""
    release = release_in("e2e-install")
    with timed("helm install --wait, from nothing"):
        output = release.install("--timeout", "120s")
    assert "kubectl get st -n e2e-install" in output
    assert f"kubectl port-forward -n e2e-install svc/{NAME}-web 8000:80" in output
    assert "SIMULATED DATA" in output
    return release


def test_install_is_ready_within_two_minutes(release: Release) -> None:
    """After `helm install --wait`, which gives up after two minutes, every pod is ready."""
    # A tier that started with a backlog may have been scaled up.
    minimum = {**dict.fromkeys((*PROCESSES, "redis", "simulator"), 1), "scheduler": 2}
    assert [component for component, count in minimum.items() if len(release.ready_pods(component)) < count] == []


def test_helm_test_after_install_succeeds(release: Release) -> None:
    """`helm test`, right after the install, queries the fleet, opens the console and reports success."""
    with timed("helm test"):
        output = release.helm("test", NAME, "--timeout", "120s").stdout
    assert output.count("Succeeded") == 2


def test_all_tasks_succeed_within_their_period(release: Release) -> None:
    """Each catalog task succeeds within one period after the install, and `kubectl get st` shows it."""
    for name in DAILY:
        release.kubectl("annotate", "st", name, "financehub.io/trigger=now")

    def outcomes() -> dict[str, Any]:
        return {
            scheduled_task["spec"]["task"]: scheduled_task.get("status", {}).get("lastRun", {}).get("outcome")
            for scheduled_task in release.scheduled_tasks().values()
        }

    with timed("all tasks ended, as kubectl shows it, after the install"):
        eventually(
            lambda: set(outcomes().values()) == {"succeeded"}, f"all outcomes are succeeded; first {outcomes()}", 120
        )
    assert set(outcomes()) == set(TASKS)
    lines = release.kubectl("get", "st").stdout.splitlines()
    assert len(lines) == 1 + len(TASKS)
    assert all("succeeded" in line and line.endswith("True") for line in lines[1:])


def test_cli_after_install_shows_simulated_data(release: Release) -> None:
    """The command line in the scheduler's pod shows quotes, news and indicators. Quotes are marked as simulated."""
    quotes = release.cli("quotes")
    assert {"BTC-USD", "AAPL", "VOD.L"} <= {quote["symbol"] for quote in quotes}
    assert all(quote["provider"].startswith("simulated/") for quote in quotes)
    # The assets in the news change from day to day.
    symbol = next(symbol for item in release.cli("news") for symbol in item["assets"])
    assert release.cli("news", symbol)
    assert release.cli("indicators", "AAPL")
    release.wait_until_healthy()


def test_console_opens_through_its_service(release: Release) -> None:
    """The first page, the quotes and the health report are at the Service, without a further value."""
    status, page = release.request("/")
    assert (status, "– FinanceHub</title>" in page) == (200, True)
    status, body = release.request("/api/v1/quotes?symbols=BTC-USD")
    assert status == 200
    (quote,) = json.loads(body)["data"]
    assert (quote["symbol"], quote["provider"].startswith("simulated/")) == ("BTC-USD", True)
    assert release.request("/api/health/")[0] == 200


def test_console_of_an_install_refuses_every_action(release: Release) -> None:
    """The console is read-only by default: a form that starts a run gets status 403, and no run starts."""
    before = release.cli("schedules", "list")
    path = "/actions/trigger?schedule=e2e-install/cleanup-old-cache"
    status, body = release.request(path, "POST", Sec_Fetch_Site="same-origin")
    assert (status, "read-only" in body) == (403, True)
    triggered = {entry["uid"]: entry["triggered"] for entry in release.cli("schedules", "list")}
    assert triggered == {entry["uid"]: entry["triggered"] for entry in before}


@pytest.mark.parametrize("tier", TIERS)
def test_log_of_a_tier_contains_only_its_tasks(release: Release, tier: str) -> None:
    """`kubectl logs` of a tier's pods shows JSON lines for all of that tier's tasks and for no other tier's."""
    lines = [json.loads(line) for line in release.logs(tier)]
    assert {line["tier"] for line in lines} == {tier}
    logged = {line["task"] for line in lines if "task" in line}
    assert logged == {task for task, task_tier in TASKS.items() if task_tier == tier}


def test_containers_run_without_root_writable_files_or_token(release: Release) -> None:
    """No process runs as root or can write its root file system, and only the scheduler has an API server token."""
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    for component in (*PROCESSES, "simulator"):
        script = f"id -u; touch /opt/x 2>&1; test -e {token} && echo token"
        output = release.kubectl("exec", f"deploy/{NAME}-{component}", "--", "sh", "-c", script, check=False).stdout
        assert output.splitlines()[0] == "10001"
        assert "Read-only file system" in output
        assert ("token" in output.splitlines()) == (component == "scheduler")


def test_applied_schedule_runs_on_time_until_deleted(release: Release) -> None:
    """An applied ScheduledTask runs when due and when triggered, does not run while suspended, and can be deleted."""
    applied_at = datetime.now(UTC)
    # With Allow, a trigger is not skipped while an earlier run is active.
    spec = {"task": "fetch_crypto_prices_task", "schedule": "@every 5s", "concurrencyPolicy": "Allow"}
    uid = release.apply("two-coins", kwargs={"symbols": ["BTC-USD"]}, **spec)["metadata"]["uid"]

    def schedule() -> dict[str, Any]:
        return next((entry for entry in release.cli("schedules", "list") if entry["uid"] == uid), {})

    def last_due_at() -> str | None:
        # The due time of a run that was just enqueued may be listed a moment later.
        entry = schedule()
        return entry["last_due_at"] if entry.get("runs", 0) >= 3 else None

    last = datetime.fromisoformat(eventually(last_due_at, "three runs", 90))
    assert applied_at - timedelta(seconds=5) < last <= datetime.now(UTC)
    assert last.second % 5 == 0

    release.kubectl("patch", "st", "two-coins", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    eventually(lambda: schedule()["suspended"], "the schedule is suspended", 60)
    runs = schedule()["runs"]
    release.kubectl("annotate", "st", "two-coins", "financehub.io/trigger=by-hand")
    eventually(lambda: schedule()["triggered"] == 1, "the trigger has run", 60)
    assert schedule()["runs"] - schedule()["triggered"] <= runs

    release.kubectl("delete", "st", "two-coins")
    eventually(lambda: not schedule(), "the schedule is gone", 60)


def test_memory_of_each_pod_is_below_half_of_its_limit(release: Release) -> None:
    """The processes of each pod use less than half of its memory limit, so a normal load does not reach the limit."""
    for component in PROCESSES:
        script = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum}'"
        kibibytes = release.kubectl("exec", f"deploy/{NAME}-{component}", "--", "sh", "-c", script).stdout
        mebibytes = int(kibibytes) / 1024
        note(f"PSS of a {component} pod", f"{mebibytes:.0f} MiB")
        limit = release.pods(component)[0]["spec"]["containers"][0]["resources"]["limits"]["memory"]
        assert mebibytes < _mebibytes(limit) / 2


def _mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
