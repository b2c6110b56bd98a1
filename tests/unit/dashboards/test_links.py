"""Tests of the links: they lead to existing dashboards and keep the time range and the variables."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.naming import DASHBOARDS, RUNBOOKS_URL
from support.dashboards import FOLDER, load

COMMITTED = load()
#: Query parameters that a link from a value must have.
KEPT = ("${__url_time_range}", "${datasource:queryparam}", "${namespace:queryparam}", "${release:queryparam}")


def links(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every link in a part of a dashboard."""
    if isinstance(node, dict):
        if "url" in node and "targetBlank" in node:
            yield node
        for child in node.values():
            yield from links(child)
    elif isinstance(node, list):
        for child in node:
            yield from links(child)


@pytest.mark.parametrize("name", COMMITTED)
def test_links_lead_to_dashboards_or_runbooks(name: str) -> None:
    """A link within Grafana has the uid of one of the dashboards. All others lead to the runbooks."""
    for link in links(COMMITTED[name]):
        inside = re.match(r"/d/([\w-]+)", link["url"])
        assert inside is None or inside[1] in DASHBOARDS, link
        assert inside or link["url"].startswith("${runbooks:raw}/"), link


@pytest.mark.parametrize("name", COMMITTED)
def test_header_links_to_the_other_dashboards_and_the_runbooks(name: str) -> None:
    """The header links to the other dashboards in order and to the runbooks, and keeps the time range and variables."""
    dashboard = COMMITTED[name]
    header = dashboard["links"]
    assert [link["url"] for link in header] == [
        *(f"/d/{uid}" for uid in DASHBOARDS if uid != dashboard["uid"]),
        "${runbooks:raw}/README.md",
    ]
    assert all(link["keepTime"] and link["includeVars"] for link in header[:-1])


def test_links_from_values_keep_the_time_and_the_variables() -> None:
    """A click on a value opens the other dashboard with the same release and time range."""
    for dashboard in COMMITTED.values():
        for link in links(dashboard["panels"]):
            if link["url"].startswith("/d/"):
                assert [part for part in KEPT if part not in link["url"]] == []


def test_link_to_a_tier_selects_that_tier() -> None:
    """A click on a tier in the Overview dashboard opens the Tier dashboard for that tier."""
    urls = [link["url"] for link in links(COMMITTED["overview.json"]["panels"])]
    assert any(url.endswith("&var-tier=${__value.raw}") for url in urls)
    assert any(url.endswith("&var-tier=${__field.labels.queue}") for url in urls)


@pytest.mark.parametrize("name", COMMITTED)
def test_runbooks_address_occurs_once(name: str) -> None:
    """The runbooks' URL occurs once in each JSON, as a hidden variable, so that the chart can replace it."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.count(json.dumps(RUNBOOKS_URL)) == 1
    variables = {variable["name"]: variable for variable in COMMITTED[name]["templating"]["list"]}
    assert (variables["runbooks"]["query"], variables["runbooks"]["hide"]) == (RUNBOOKS_URL, 2)
