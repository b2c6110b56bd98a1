"""What `kubectl apply` says of schedules that are legal and suspicious, and of those that are not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.control_plane.cluster import Cluster
from support.invalid_specs import CRYPTO, NEWS, OTHER, WRONG
from support.schedules import resource

ROOT = Path(__file__).parents[3]
SLOW = {"task": "fetch_crypto_prices_task", "startingDeadlineSeconds": 60, "concurrencyPolicy": "Allow"}
PILE = "slow runs pile up"
CLOCKS = "clocks skip or repeat a part of these hours"


def warnings(cluster: Cluster, text: str, *arguments: str) -> list[str]:
    """What kubectl warns of when it applies a manifest; nothing is stored."""
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", *arguments, stdin=text)
    return re.findall(r"^Warning: .*with binding '[a-z-]+': (.*)$", done.stderr, re.MULTILINE)


def of(cluster: Cluster, spec: dict[str, Any]) -> list[str]:
    """Warnings of one spec."""
    return warnings(cluster, yaml.safe_dump({**resource(), "spec": spec}))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (OTHER, "spec.task: my_task is not in the catalogue"),
        (SLOW | {"schedule": "@every 30s"}, PILE),
        (SLOW | {"schedule": "@every 1m29s"}, PILE),
        (SLOW | {"schedule": "* * * * *"}, PILE),
        (SLOW | {"schedule": "*/2 * * * *", "timeLimitSeconds": 121}, PILE),
        (SLOW | {"schedules": ["@daily", "@every 1m"]}, PILE),
        ({"task": "fetch_stock_prices_task", "schedule": "@hourly"}, "spec.startingDeadlineSeconds: is not set"),
        ({"task": "fetch_crypto_prices_task", "schedule": "@hourly"}, "spec.startingDeadlineSeconds: is not set"),
        (NEWS | {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}, CLOCKS),
        (NEWS | {"schedule": "30 1 * * *", "timeZone": "America/New_York"}, CLOCKS),
        (NEWS | {"schedule": "15 0-3 * * 1", "timeZone": "Europe/London"}, CLOCKS),
        (NEWS | {"schedule": "15 7,01 * * 1", "timeZone": "Europe/London"}, CLOCKS),
        (NEWS | {"schedule": "5 0 * * *", "timeZone": "America/Santiago"}, CLOCKS),
        (NEWS | {"catchUp": "All"}, "spec.catchUp: All under concurrencyPolicy Forbid"),
    ],
)
def test_what_is_suspicious_is_told(crd_installed: Cluster, spec: dict[str, Any], words: str) -> None:
    """One warning, which names the field and what will happen; the resource is accepted."""
    (told,) = of(crd_installed, spec)
    assert words in told


@pytest.mark.parametrize(
    "spec",
    [
        SLOW | {"schedule": "@every 90s"},
        SLOW | {"schedule": "@every 2d"},
        SLOW | {"schedule": "*/2 * * * *"},
        SLOW | {"schedule": "@hourly"},
        CRYPTO | {"schedule": "@every 30s"},
        NEWS | {"schedule": "30 2 * * *"},
        NEWS | {"schedule": "30 2 * * *", "timeZone": "Asia/Tokyo"},
        NEWS | {"schedule": "30 3 * * *", "timeZone": "Europe/Berlin"},
        NEWS | {"schedule": "30 4-23 * * *", "timeZone": "America/New_York"},
        NEWS | {"schedule": "*/30 2 * * *", "timeZone": "Europe/Berlin"},
        NEWS | {"schedule": "@daily", "timeZone": "Europe/Berlin"},
        NEWS | {"catchUp": "All", "concurrencyPolicy": "Allow"},
    ],
)
def test_what_is_not_is_not(crd_installed: Cluster, spec: dict[str, Any]) -> None:
    """A word for what is as it should be would teach people to overlook all of them."""
    assert of(crd_installed, spec) == []


@pytest.mark.parametrize("folder", ["deploy/local/schedules", "deploy/examples"])
def test_what_we_ship_is_not_suspicious(crd_installed: Cluster, folder: str) -> None:
    """The default schedules and the examples are applied without a warning."""
    files = [path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).glob("*.yaml"))]
    assert len(files) >= 6
    assert warnings(crd_installed, "\n---\n".join(files)) == []


def test_what_was_there_before_may_be_relabelled(crd_installed: Cluster, namespace: str) -> None:
    """An edit that leaves the spec alone is not warned of again."""
    text = yaml.safe_dump({**resource(), "spec": OTHER})
    assert "Warning" in crd_installed.kubectl("apply", "-n", namespace, "-f", "-", stdin=text).stderr
    assert crd_installed.kubectl("label", "-n", namespace, "st", "demo", "team=data").stderr == ""


def test_a_refusal_is_one_line(crd_installed: Cluster) -> None:
    """What the policy refuses names the field and the remedy."""
    row = WRONG["backfill that is no range"]
    done = crd_installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(row.body()), check=False)
    assert done.returncode == 1
    assert "denied request: metadata.annotations[financehub.io/backfill]: is not a range; write it like" in done.stderr
