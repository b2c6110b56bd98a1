"""Tests that API server, folder source and scheduler accept and refuse the same specs, and name the field."""

import json
from typing import Any

import httpx
import pytest
import yaml

from financehub_scheduler.api.schedule import compile_schedule
from financehub_shared.spec.documents import DocumentError, parse, split
from financehub_shared.spec.scheduled_task import from_resource
from support.invalid_specs import INVALID, VALID, SpecCase
from support.schedules import UID
from test_cluster.control_plane.cluster import Cluster

_PATH = "/apis/financehub.io/v1alpha1/namespaces/default/scheduledtasks"
REFUSED_BY_API_SERVER = {name: case for name, case in INVALID.items() if not case.only_scheduler}
REFUSED_BY_SCHEDULER = {name: case for name, case in INVALID.items() if case.only_scheduler}


def api_server_problem(cluster: Cluster, body: dict[str, Any]) -> str:
    """Return why the API server refuses a resource, or an empty string if it accepts it. Nothing is stored."""
    try:
        cluster.request("POST", _PATH, body, dryRun="All", fieldValidation="Strict")
    except httpx.HTTPStatusError as error:
        return str(json.loads(error.response.text)["message"])
    return ""


def file_problem(body: dict[str, Any]) -> str:
    """Return why the folder source refuses the same resource, or an empty string if it accepts it."""
    (document,) = split(yaml.safe_dump(body, allow_unicode=True))
    try:
        task = parse(document)
        assert task
        compile_schedule(task, UID)
    except (DocumentError, ValueError) as error:
        return str(error)
    return ""


def scheduler_problem(cluster: Cluster, body: dict[str, Any]) -> str:
    """Return why the scheduler refuses a resource that the API server accepted, or an empty string if it accepts it."""
    body = cluster.request("POST", _PATH, body, dryRun="All")
    metadata = body["metadata"] | {"namespace": "default", "uid": UID, "generation": 1}
    try:
        compile_schedule(from_resource(body | {"metadata": metadata}), UID)
    except ValueError as error:
        return str(error)
    return ""


def test_table_has_at_least_60_invalid_specs() -> None:
    """The table covers users' common mistakes."""
    assert len(INVALID) >= 60


@pytest.mark.parametrize("case", REFUSED_BY_API_SERVER.values(), ids=REFUSED_BY_API_SERVER)
def test_api_server_with_invalid_spec_names_field_and_fix(crd_installed: Cluster, case: SpecCase) -> None:
    """An invalid spec is not stored, and the message names the field and the fix."""
    problem = api_server_problem(crd_installed, case.body())
    assert case.field in problem
    assert case.words in problem


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_file_source_with_invalid_spec_refuses_it(case: SpecCase) -> None:
    """The folder source refuses everything that the API server or the scheduler refuses."""
    assert file_problem(case.body())


@pytest.mark.parametrize("case", REFUSED_BY_SCHEDULER.values(), ids=REFUSED_BY_SCHEDULER)
def test_scheduler_with_spec_that_the_api_server_accepts_names_field_and_fix(
    crd_installed: Cluster, case: SpecCase
) -> None:
    """The scheduler refuses an invalid spec that the API server cannot check, and names the field and the fix."""
    assert api_server_problem(crd_installed, case.body()) == ""
    problem = scheduler_problem(crd_installed, case.body())
    assert problem.startswith(f"{case.field}: ")
    assert case.words in problem


@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_valid_spec_is_accepted_by_all(crd_installed: Cluster, case: SpecCase) -> None:
    """A valid spec is accepted by the API server, the folder source and the scheduler."""
    body = case.body()
    assert (api_server_problem(crd_installed, body), file_problem(body), scheduler_problem(crd_installed, body)) == (
        "",
        "",
        "",
    )


def test_spec_of_one_megabyte_is_accepted_and_of_four_is_refused(crd_installed: Cluster) -> None:
    """A valid spec of 1 MB is accepted. A spec of 4 MB exceeds Kubernetes's limit for any resource."""
    body = SpecCase({"task": "t", "queue": "q", "schedule": "@daily", "args": ["x" * 1_000_000]}, "").body()
    assert (api_server_problem(crd_installed, body), scheduler_problem(crd_installed, body)) == ("", "")
    body["spec"]["args"] = ["x" * 4_000_000]
    with pytest.raises(httpx.HTTPError):
        crd_installed.request("POST", _PATH, body, dryRun="All")


def test_kubectl_apply_with_invalid_spec_prints_one_line(crd_installed: Cluster) -> None:
    """A user of kubectl sees one line with the field and the fix."""
    text = yaml.safe_dump(INVALID["minute 60"].body())
    done = crd_installed.kubectl("apply", "-f", "-", stdin=text, check=False)
    prefix = 'The ScheduledTask "demo" is invalid: spec.schedule: Invalid value: "string": '
    assert done.stderr.strip() == prefix + "minute: use 0-59, with * , - and / as operators"
    assert done.returncode == 1
