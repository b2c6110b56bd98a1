"""Tests of how `kubectl apply` warns of suspicious schedules and refuses invalid ones."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.invalid_specs import INVALID
from support.schedules import resource
from support.spec_case import CRYPTO, NEWS, OTHER
from support.suspicious_specs import NORMAL, SUSPICIOUS
from test_cluster.control_plane.cluster import Cluster

ROOT = Path(__file__).parents[3]
#: Part of the warning about hours in which clocks change.
CLOCK_CHANGE = "clocks skip or repeat a part of these hours"


def warnings_of_manifest(cluster: Cluster, text: str, *arguments: str) -> list[str]:
    """Return kubectl's warnings for a manifest, without storing it."""
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", *arguments, stdin=text)
    return re.findall(r"^Warning: .*with binding '[a-z-]+': (.*)$", done.stderr, re.MULTILINE)


def warnings_of_spec(cluster: Cluster, spec: dict[str, Any]) -> list[str]:
    """Return kubectl's warnings for a spec, without storing it."""
    return warnings_of_manifest(cluster, yaml.safe_dump({**resource(), "spec": spec}))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        *SUSPICIOUS,
        (OTHER, "spec.task: my_task is not in the catalog"),
        (NEWS | {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}, CLOCK_CHANGE),
        (NEWS | {"schedule": "30 1 * * *", "timeZone": "America/New_York"}, CLOCK_CHANGE),
        (NEWS | {"schedule": "15 0-3 * * 1", "timeZone": "Europe/London"}, CLOCK_CHANGE),
        (NEWS | {"schedule": "15 7,01 * * 1", "timeZone": "Europe/London"}, CLOCK_CHANGE),
        (NEWS | {"schedule": "5 0 * * *", "timeZone": "America/Santiago"}, CLOCK_CHANGE),
        (NEWS | {"schedule": "30 22-2 * * *", "timeZone": "Europe/Berlin"}, CLOCK_CHANGE),
        (CRYPTO | {"schedule": "0 30 2 * * *", "timeZone": "Europe/Berlin"}, CLOCK_CHANGE),
    ],
)
def test_apply_with_suspicious_spec_warns_once(crd_installed: Cluster, spec: dict[str, Any], words: str) -> None:
    """A suspicious spec is accepted with one warning that names the field and the consequence."""
    (warning,) = warnings_of_spec(crd_installed, spec)
    assert words in warning


@pytest.mark.parametrize(
    "spec",
    [
        *(spec for spec in NORMAL if spec["task"] != OTHER["task"]),
        NEWS | {"schedule": "30 2 * * *"},
        NEWS | {"schedule": "30 2 * * *", "timeZone": "Asia/Tokyo"},
        NEWS | {"schedule": "30 3 * * *", "timeZone": "Europe/Berlin"},
        NEWS | {"schedule": "30 4-23 * * *", "timeZone": "America/New_York"},
        NEWS | {"schedule": "30 22-0 * * *", "timeZone": "Europe/Berlin"},
        NEWS | {"schedule": "*/30 2 * * *", "timeZone": "Europe/Berlin"},
        NEWS | {"schedule": "@daily", "timeZone": "Europe/Berlin"},
    ],
)
def test_apply_with_normal_spec_does_not_warn(crd_installed: Cluster, spec: dict[str, Any]) -> None:
    """A spec without any problem causes no warning. Needless warnings would teach users to ignore all of them."""
    assert warnings_of_spec(crd_installed, spec) == []


@pytest.mark.parametrize("folder", ["deploy/local/schedules", "deploy/examples"])
def test_apply_with_shipped_schedules_does_not_warn(crd_installed: Cluster, folder: str) -> None:
    """The default schedules and the examples are applied without a warning."""
    files = [path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).glob("*.yaml"))]
    assert len(files) >= 7
    assert warnings_of_manifest(crd_installed, "\n---\n".join(files)) == []


def test_label_change_of_suspicious_resource_does_not_warn(crd_installed: Cluster, namespace: str) -> None:
    """An edit that does not change the spec does not repeat its warning."""
    text = yaml.safe_dump({**resource(), "spec": OTHER})
    assert "Warning" in crd_installed.kubectl("apply", "-n", namespace, "-f", "-", stdin=text).stderr
    assert crd_installed.kubectl("label", "-n", namespace, "st", "demo", "team=data").stderr == ""


def test_apply_with_invalid_annotation_names_field_and_fix(crd_installed: Cluster) -> None:
    """When the policy refuses an annotation, the message names the field and explains the fix."""
    case = INVALID["backfill 'yesterday'"]
    done = crd_installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(case.body()), check=False)
    assert done.returncode == 1
    assert (
        "denied request: metadata.annotations[financehub.io/backfill]: 'yesterday' is not a range; write it like"
        in done.stderr
    )
