"""Tests of the committed JSON: it matches the generated one, and Grafana's own types can represent it."""

import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.__main__ import files
from dashboards.naming import DASHBOARDS
from support.dashboards import FOLDER, load

#: A ConfigMap can contain at most 1 MiB. A dashboard above this limit is too large to be useful.
LARGEST_BYTES = 200_000


def test_committed_dashboards_are_up_to_date() -> None:
    """`make dashboards` would not change any file."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


def test_dashboard_files_are_deterministic() -> None:
    """The JSON does not depend on the time or on the order of a set."""
    assert files() == files()


def test_committed_dashboards_are_exactly_the_named_ones() -> None:
    """The dashboards that links refer to are exactly those that exist, with the same titles."""
    assert {dashboard["uid"]: dashboard["title"] for dashboard in load().values()} == DASHBOARDS


@pytest.mark.parametrize("name", load())
def test_dashboard_survives_a_round_trip_through_grafanas_types(name: str) -> None:
    """A dashboard does not change when the SDK's types read and write it."""
    register_default_plugins()
    committed = load()[name]
    read = Dashboard.from_json(committed)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == committed


@pytest.mark.parametrize("name", load())
def test_dashboard_fits_into_a_config_map(name: str) -> None:
    """A dashboard is far below the size limit of a ConfigMap."""
    assert (FOLDER / name).stat().st_size < LARGEST_BYTES
