"""The committed JSON is what the code makes, and Grafana's own types can represent it."""

import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.__main__ import files
from dashboards.naming import DASHBOARDS
from support.dashboards import FOLDER, load

#: A ConfigMap holds 1 MiB at most; a dashboard above this limit is too large to be useful.
LARGEST_BYTES = 200_000


def test_committed_dashboards_are_what_the_code_makes() -> None:
    """`make dashboards` changes nothing."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


def test_two_runs_make_the_same_bytes() -> None:
    """Nothing in the JSON depends on the time or on the order of a set."""
    assert files() == files()


def test_every_named_dashboard_is_committed() -> None:
    """The dashboards that links name and those that exist are the same five, with the same titles."""
    assert {each["uid"]: each["title"] for each in load().values()} == DASHBOARDS


@pytest.mark.parametrize("name", load())
def test_grafanas_types_hold_the_whole_dashboard(name: str) -> None:
    """A dashboard that the SDK's types read and write again has lost nothing."""
    register_default_plugins()
    committed = load()[name]
    read = Dashboard.from_json(committed)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == committed


@pytest.mark.parametrize("name", load())
def test_dashboard_fits_into_a_config_map(name: str) -> None:
    """A dashboard is far smaller than a ConfigMap may be."""
    assert (FOLDER / name).stat().st_size < LARGEST_BYTES
