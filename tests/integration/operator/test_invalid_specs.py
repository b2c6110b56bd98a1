"""Tests that API server, folder source and scheduler accept and refuse the same specs, and name the field."""

import json
import re
from typing import Any

import httpx
import pytest
import yaml

from financehub_scheduler.api.schedule import compile_schedule
from financehub_shared.spec.documents import DocumentError, parse, split
from financehub_shared.spec.scheduled_task import from_resource
from support.invalid_specs import INVALID
from support.schedules import UID
from support.spec_case import SpecCase
from support.valid_specs import VALID
from test_cluster.control_plane.cluster import Cluster

_PATH = "/apis/financehub.io/v1alpha1/namespaces/default/scheduledtasks"
#: The end of a message of ours: what to write.
_FIX = re.compile(r"(; |: |, so )(write|use|swap|change|remove|leave|add|move|type|cron takes|an interval must)\b")


class _Quoted(yaml.SafeDumper):
    """Writes each text in quotes, so that no text is read as a number."""


_Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def api_server_problem(cluster: Cluster, body: dict[str, Any]) -> str:
    """Return why the API server refuses a resource, or an empty string if it accepts it. Nothing is stored."""
    try:
        cluster.request("POST", _PATH, body, dryRun="All", fieldValidation="Strict")
    except httpx.HTTPStatusError as error:
        return str(json.loads(error.response.text)["message"])
    return ""


def file_problem(body: dict[str, Any]) -> str:
    """Return why the folder source refuses the same resource, or an empty string if it accepts it."""
    (document,) = split(yaml.dump(body, Dumper=_Quoted, allow_unicode=True))
    try:
        task = parse(document)
        assert task
        compile_schedule(task, UID)
    except (DocumentError, ValueError) as error:
        return str(error)
    return ""


def scheduler_problem(body: dict[str, Any]) -> str:
    """Return why the scheduler refuses a resource, or an empty string if it accepts it.

    An API server whose definition has no CEL rules would deliver such a resource.
    """
    try:
        compile_schedule(from_resource(body), UID)
    except ValueError as error:
        return str(error)
    return ""


def as_stored(cluster: Cluster, body: dict[str, Any]) -> dict[str, Any]:
    """Return a resource as the API server would store it, with its default values."""
    stored: dict[str, Any] = cluster.request("POST", _PATH, body, dryRun="All")
    return stored


def names_field(problem: str, field: str) -> bool:
    """Whether a message of the folder source or the scheduler names a field, given as the API server names it."""
    annotation = re.search(r"annotations\[(.+)]", field)
    expected = annotation[1] if annotation else re.sub(r"\[(\d+)]", r".\1", field)
    # A misspelled or misplaced value may make its parent invalid.
    return expected in problem or (expected.rpartition(".")[0] in problem and expected.rpartition(".")[2] in problem)


def test_table_has_at_least_200_invalid_and_100_valid_specs() -> None:
    """The tables cover users' common mistakes, and every element of the grammar."""
    assert (len(INVALID) >= 200, len(VALID) >= 100) == (True, True)


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_api_server_with_invalid_spec_names_field_and_fix(crd_installed: Cluster, case: SpecCase) -> None:
    """An invalid spec is not stored, and the message names the field, our rules also the value and the fix."""
    problem = api_server_problem(crd_installed, case.body())
    assert case.field in problem
    assert case.words.lower() in problem.lower()
    if case.everywhere:
        assert _FIX.search(problem)
        assert "evaluating rule" not in problem or case.field == "spec.timeZone"


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_file_source_with_invalid_spec_refuses_it(case: SpecCase) -> None:
    """The folder source refuses everything that the API server refuses, and names the field and the fix."""
    problem = file_problem(case.body())
    assert names_field(problem, case.field)
    if case.everywhere:
        assert case.words.lower() in problem.lower()
        assert _FIX.search(problem)


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_scheduler_with_invalid_spec_names_field_and_fix(case: SpecCase) -> None:
    """The scheduler refuses everything that the API server refuses, with the same words as the folder source."""
    problem = scheduler_problem(case.body())
    assert names_field(problem, case.field)
    if case.everywhere:
        assert case.words.lower() in problem.lower()
        assert _FIX.search(problem)


@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_valid_spec_is_accepted_by_all(crd_installed: Cluster, case: SpecCase) -> None:
    """A valid spec is accepted by the API server, the folder source and the scheduler."""
    body = case.body()
    assert (api_server_problem(crd_installed, body), file_problem(body)) == ("", "")
    assert scheduler_problem(as_stored(crd_installed, body)) == ""


def test_spec_of_one_megabyte_is_accepted_and_of_four_is_refused(crd_installed: Cluster) -> None:
    """A valid spec of 1 MB is accepted. A spec of 4 MB exceeds Kubernetes's limit for any resource."""
    body = SpecCase({"task": "t", "queue": "q", "schedule": "@daily", "args": ["x" * 1_000_000]}, "").body()
    assert (api_server_problem(crd_installed, body), scheduler_problem(body)) == ("", "")
    body["spec"]["args"] = ["x" * 4_000_000]
    with pytest.raises(httpx.HTTPError):
        crd_installed.request("POST", _PATH, body, dryRun="All")


def test_largest_spec_is_within_the_cost_budget_of_the_api_server(crd_installed: Cluster) -> None:
    """The API server has the time to check a spec in which everything is as long as it may be."""
    minutes = ",".join(f"{first}-{first + 20}/7" for first in range(39))
    line = f"{minutes[:200].rpartition(',')[0]} 1-23 1-30,L-3W 1,2,3 MON-FRI"
    line += " " * (256 - len(line))
    spec = {
        "task": "t" * 200,
        "queue": "q" * 63,
        "schedules": [line] * 16,
        "timeZone": "America/New_York",
        "exclude": [
            {
                "weekdays": ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
                "from": "22:00",
                "to": "06:00",
                "holidays": "XNYS",
                "dates": ["2028-02-29/2032-02-29"] * 100,
            }
        ]
        * 16,
        "calendar": "XNYS",
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2027-01-01T00:00:00Z",
        "args": ["x"] * 64,
    }
    all_days = spec | {"dayMatch": "All", "schedules": [line.replace(",L-3W", "     ")] * 16}
    for each in (spec, all_days, spec | {"schedules": [("@every " + "0" * 230 + "7m").ljust(256)] * 16}):
        body = SpecCase(each).body()
        assert (api_server_problem(crd_installed, body), scheduler_problem(body)) == ("", "")


def test_kubectl_apply_with_invalid_spec_prints_one_line(crd_installed: Cluster) -> None:
    """A user of kubectl sees one line with the field and the fix."""
    text = yaml.safe_dump(INVALID["schedule '60 * * * *'"].body())
    done = crd_installed.kubectl("apply", "-f", "-", stdin=text, check=False)
    prefix = 'The ScheduledTask "demo" is invalid: spec.schedule: Invalid value: "string": '
    assert done.stderr.strip() == prefix + "minute 60 is not valid; use 0-59, with * , - and / as operators"
    assert done.returncode == 1
