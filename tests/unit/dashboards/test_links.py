"""Links lead to dashboards that exist and keep the time and the variables."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.naming import DASHBOARDS, RUNBOOKS_URL
from support.dashboards import FOLDER, load

COMMITTED = load()
#: What a link from a value has to pass on.
KEPT = ("${__url_time_range}", "${datasource:queryparam}", "${namespace:queryparam}", "${release:queryparam}")


def links(node: Any) -> Iterator[dict[str, Any]]:
    """Every link below a part of a dashboard."""
    if isinstance(node, dict):
        if "url" in node and "targetBlank" in node:
            yield node
        for each in node.values():
            yield from links(each)
    elif isinstance(node, list):
        for each in node:
            yield from links(each)


@pytest.mark.parametrize("name", COMMITTED)
def test_every_link_leads_to_a_dashboard_or_a_runbook(name: str) -> None:
    """A link inside Grafana names the uid of one of the five; all others lead to the runbooks."""
    for link in links(COMMITTED[name]):
        inside = re.match(r"/d/([\w-]+)", link["url"])
        assert inside is None or inside[1] in DASHBOARDS, link
        assert inside or link["url"].startswith("${runbooks:raw}/"), link


@pytest.mark.parametrize("name", COMMITTED)
def test_header_leads_to_the_other_dashboards_and_the_runbooks(name: str) -> None:
    """The header has the four others in their order and the runbooks, with the time and the variables kept."""
    dashboard = COMMITTED[name]
    header = dashboard["links"]
    assert [link["url"] for link in header] == [
        *(f"/d/{uid}" for uid in DASHBOARDS if uid != dashboard["uid"]),
        "${runbooks:raw}/README.md",
    ]
    assert all(link["keepTime"] and link["includeVars"] for link in header[:-1])


def test_links_from_values_keep_the_time_and_the_variables() -> None:
    """A click on a value shows the same release, and the same time, on the other dashboard."""
    for dashboard in COMMITTED.values():
        for link in links(dashboard["panels"]):
            if link["url"].startswith("/d/"):
                assert [part for part in KEPT if part not in link["url"]] == []


def test_link_to_a_tier_chooses_it() -> None:
    """From the overview one click on a tier leads to its dashboard."""
    urls = [link["url"] for link in links(COMMITTED["overview.json"]["panels"])]
    assert any(url.endswith("&var-tier=${__value.raw}") for url in urls)
    assert any(url.endswith("&var-tier=${__field.labels.queue}") for url in urls)


@pytest.mark.parametrize("name", COMMITTED)
def test_address_of_the_runbooks_stands_in_one_place(name: str) -> None:
    """The address of the runbooks occurs once in each JSON, as a hidden variable, so that the chart can replace it."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.count(json.dumps(RUNBOOKS_URL)) == 1
    variables = {each["name"]: each for each in COMMITTED[name]["templating"]["list"]}
    assert (variables["runbooks"]["query"], variables["runbooks"]["hide"]) == (RUNBOOKS_URL, 2)
