"""From nothing to fresh data with one command, in a namespace with restricted Pod Security."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.release import NAME, TIERS, Release
from e2e.report import note, timed

#: Task → its tier.
TASKS = {
    "fetch_crypto_prices_task": "high",
    "fetch_stock_prices_task": "high",
    "fetch_news_task": "medium",
    "calculate_indicators_task": "medium",
    "health_check_task": "low",
    "cleanup_old_cache_task": "low",
    "cleanup_failed_tasks_task": "low",
}
#: Once a day: brought forward for the test, by the annotation that users have for it.
DAILY = ("cleanup-old-cache", "cleanup-failed-tasks")


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """Installed with `helm install --wait`, from nothing."""
    release = release_in("e2e-install")
    with timed("helm install --wait, from nothing"):
        said = release.install("--timeout", "120s")
    assert "kubectl get st -n e2e-install" in said
    assert "SIMULATED DATA" in said
    return release


def test_an_install_is_up_within_two_minutes(release: Release) -> None:
    """After `helm install --wait`, which gives up after two minutes, every pod is ready."""
    # a tier that began with a backlog may have been scaled up
    least = {**dict.fromkeys((*TIERS, "redis", "simulator"), 1), "scheduler": 2}
    assert [component for component, count in least.items() if len(release.ready(component)) < count] == []


def test_helm_test_passes(release: Release) -> None:
    """`helm test`, right after the install, asks the fleet and finds it well."""
    with timed("helm test"):
        said = release.helm("test", NAME, "--timeout", "120s").stdout
    assert "Succeeded" in said


def test_all_seven_tasks_run_within_their_period(release: Release) -> None:
    """Each of the seven tasks ends well, at the latest a period after the install; `kubectl get st` shows it."""
    for name in DAILY:
        release.kubectl("annotate", "st", name, "financehub.io/trigger=now")

    def outcomes() -> dict[str, Any]:
        tasks = release.scheduled_tasks().values()
        return {one["spec"]["task"]: one.get("status", {}).get("lastRun", {}).get("outcome") for one in tasks}

    with timed("all seven tasks ended, as kubectl shows it, after the install"):
        eventually(lambda: set(outcomes().values()) == {"succeeded"}, 120, f"seven outcomes; {outcomes()}")
    assert set(outcomes()) == set(TASKS)
    shown = release.kubectl("get", "st").stdout.splitlines()
    assert len(shown) == 8
    assert all("succeeded" in line and line.endswith("True") for line in shown[1:])


def test_data_is_there(release: Release) -> None:
    """Quotes, news and indicators are read with the command line in the scheduler's pod, marked as simulated."""
    quotes = release.cli("quotes")
    assert {"BTC-USD", "AAPL", "VOD.L"} <= {one["symbol"] for one in quotes}
    assert all(one["provider"].startswith("simulated/") for one in quotes)
    # which assets are in the news is a matter of the day
    told_of = next(symbol for one in release.cli("news") for symbol in one["assets"])
    assert release.cli("news", told_of)
    assert release.cli("indicators", "AAPL")
    release.settled()


@pytest.mark.parametrize("tier", TIERS)
def test_logs_are_of_one_tier(release: Release, tier: str) -> None:
    """`kubectl logs deploy/financehub-<tier>` shows JSON lines of that tier's tasks and of no other's."""
    lines = [json.loads(line) for line in release.logs(tier)]
    assert {line["tier"] for line in lines} == {tier}
    seen = {line["task"] for line in lines if "task" in line}
    assert seen == {task for task, where in TASKS.items() if where == tier}


def test_every_container_keeps_to_itself(release: Release) -> None:
    """No process runs as root or may write its root filesystem, and only the scheduler can ask the API server."""
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    for component in (*TIERS, "scheduler", "simulator"):
        script = f"id -u; touch /opt/x 2>&1; test -e {token} && echo token"
        said = release.kubectl("exec", f"deploy/{NAME}-{component}", "--", "sh", "-c", script, check=False).stdout
        assert said.splitlines()[0] == "10001"
        assert "Read-only file system" in said
        assert ("token" in said.splitlines()) == (component == "scheduler")


def test_a_schedule_is_applied_and_runs_on_time(release: Release) -> None:
    """An applied ScheduledTask runs when it is due; suspended it does not; triggered it does; deleted it is gone."""
    began = datetime.now(UTC)
    # a trigger beside a run that is not over is not skipped
    spec = {"task": "fetch_crypto_prices_task", "schedule": "@every 5s", "concurrencyPolicy": "Allow"}
    uid = release.apply("two-coins", kwargs={"symbols": ["BTC-USD"]}, **spec)["metadata"]["uid"]

    def mine() -> dict[str, Any]:
        return next((one for one in release.cli("schedules", "list") if one["uid"] == uid), {})

    def last_due() -> str | None:
        # of a run that was enqueued just now it comes a moment later
        seen = mine()
        return seen["last_due_at"] if seen.get("runs", 0) >= 3 else None

    last = datetime.fromisoformat(eventually(last_due, 40, "three runs"))
    assert began - timedelta(seconds=5) < last <= datetime.now(UTC)
    assert last.second % 5 == 0

    release.kubectl("patch", "st", "two-coins", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    eventually(lambda: mine()["suspended"], 10, "suspended")
    runs = mine()["runs"]
    release.kubectl("annotate", "st", "two-coins", "financehub.io/trigger=by-hand")
    eventually(lambda: mine()["triggered"] == 1, 20, "the trigger")
    assert mine()["runs"] - mine()["triggered"] <= runs

    release.kubectl("delete", "st", "two-coins")
    eventually(lambda: not mine(), 20, "gone")


def test_memory_of_the_pods(release: Release) -> None:
    """Each process keeps within half of its limit, so that the limit is a limit and not a habit."""
    for component in (*TIERS, "scheduler"):
        script = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum}'"
        said = release.kubectl("exec", f"deploy/{NAME}-{component}", "--", "sh", "-c", script).stdout
        mebibytes = int(said) / 1024
        note(f"PSS of a {component} pod", f"{mebibytes:.0f} MiB")
        limit = release.pods(component)[0]["spec"]["containers"][0]["resources"]["limits"]["memory"]
        assert mebibytes < _mebibytes(limit) / 2


def _mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
