"""The API server, the folder and the scheduler accept and refuse the same, and say which field is to blame."""

import json
from typing import Any

import httpx
import pytest
import yaml

from financehub_scheduler.api.schedule import compile_schedule
from financehub_scheduler.api.scheduled_task import from_resource
from financehub_scheduler.sources.documents import DocumentError, parse, split
from support.control_plane.cluster import Cluster
from support.invalid_specs import RIGHT, WRONG, Wrong
from support.schedules import UID

_PATH = "/apis/financehub.io/v1alpha1/namespaces/default/scheduledtasks"
SEEN = {name: row for name, row in WRONG.items() if not row.unseen}


def refusal(cluster: Cluster, body: dict[str, Any]) -> str:
    """What the API server says against a resource; empty: nothing. Nothing is stored."""
    try:
        cluster.request("POST", _PATH, body, dryRun="All", fieldValidation="Strict")
    except httpx.HTTPStatusError as error:
        return str(json.loads(error.response.text)["message"])
    return ""


def in_a_file(body: dict[str, Any]) -> str:
    """What is said against the same resource in a folder of schedules; empty: nothing."""
    (document,) = split(yaml.safe_dump(body, allow_unicode=True))
    try:
        task = parse(document)
        assert task
        compile_schedule(task, UID)
    except (DocumentError, ValueError) as error:
        return str(error)
    return ""


def by_the_scheduler(cluster: Cluster, body: dict[str, Any]) -> str:
    """What the scheduler says against a resource as the API server shows it; empty: nothing."""
    body = cluster.request("POST", _PATH, body, dryRun="All")
    metadata = body["metadata"] | {"namespace": "default", "uid": UID, "generation": 1}
    try:
        compile_schedule(from_resource(body | {"metadata": metadata}), UID)
    except ValueError as error:
        return str(error)
    return ""


def test_there_are_enough_rows() -> None:
    """The table covers what users get wrong."""
    assert len(WRONG) >= 60


@pytest.mark.parametrize("row", SEEN.values(), ids=SEEN)
def test_the_api_server_refuses_it_and_names_the_field(crd_installed: Cluster, row: Wrong) -> None:
    """What is wrong never gets in, and the message says where and how to mend it."""
    said = refusal(crd_installed, row.body())
    assert row.field in said
    assert row.words in said


@pytest.mark.parametrize("row", WRONG.values(), ids=WRONG)
def test_a_file_is_refused_too(row: Wrong) -> None:
    """The folder refuses whatever the API server or the scheduler refuses."""
    assert in_a_file(row.body())


@pytest.mark.parametrize(
    "row", [row for row in WRONG.values() if row.unseen], ids=[n for n, r in WRONG.items() if r.unseen]
)
def test_what_the_api_server_cannot_see_the_scheduler_does(crd_installed: Cluster, row: Wrong) -> None:
    """What gets in and does not run is refused by the scheduler, which names the field and the remedy."""
    assert refusal(crd_installed, row.body()) == ""
    said = by_the_scheduler(crd_installed, row.body())
    assert said.startswith(f"{row.field}: ")
    assert row.words in said


@pytest.mark.parametrize("row", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_accepted_by_all(crd_installed: Cluster, row: Wrong) -> None:
    """What one of them takes, all of them take."""
    body = row.body()
    assert (refusal(crd_installed, body), in_a_file(body), by_the_scheduler(crd_installed, body)) == ("", "", "")


def test_a_megabyte_is_refused_or_runs(crd_installed: Cluster) -> None:
    """A spec of 1 MB is taken if it is valid; one of 4 MB is more than Kubernetes takes of anything."""
    body = Wrong({"task": "t", "queue": "q", "schedule": "@daily", "args": ["x" * 1_000_000]}, "").body()
    assert (refusal(crd_installed, body), by_the_scheduler(crd_installed, body)) == ("", "")
    body["spec"]["args"] = ["x" * 4_000_000]
    with pytest.raises(httpx.HTTPError):
        crd_installed.request("POST", _PATH, body, dryRun="All")


def test_kubectl_says_it_in_one_line(crd_installed: Cluster) -> None:
    """What a user meets at the terminal is the field and the remedy, and no stack of rules."""
    text = yaml.safe_dump(WRONG["minute 60"].body())
    done = crd_installed.kubectl("apply", "-f", "-", stdin=text, check=False)
    where = 'The ScheduledTask "demo" is invalid: spec.schedule: Invalid value: "string": '
    assert done.stderr.strip() == where + "minute: allowed are 0-59, with * , - and /"
    assert done.returncode == 1
