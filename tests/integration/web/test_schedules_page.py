"""Tests the filter of the page Schedules with a real server and a real Redis."""

import re

import httpx
import pytest


@pytest.mark.parametrize("state", ["succeeded", "failed", "never-run", "late", "suspended", "paused", "stopped"])
def test_page_with_a_state_lists_the_schedules_of_the_api(api: httpx.Client, state: str) -> None:
    """The page and the API select the same schedules, and the links of the page lead to them."""
    page = api.get(f"/schedules?state={state}&q=DEMO").text
    names = re.findall(r'<tr id="schedule-([^"]+)"', page)
    data = api.get(f"/api/v1/schedules?q=DEMO&state={state}").json()["data"]
    assert names == [each["name"] for each in data]
    assert f'href="/api/v1/schedules?format=csv&amp;q=DEMO&amp;state={state}"' in page


def test_page_shows_when_the_next_run_is_and_refuses_an_unknown_state(api: httpx.Client) -> None:
    """The next run has the time that is left and the time of the clock."""
    page = api.get("/schedules").text
    assert page.count('data-time="until"') == page.count('data-time="clock"') - page.count('id="updated"') > 0
    assert api.get("/schedules?state=dreaming").status_code == 400
    assert api.get("/api/v1/schedules?state=dreaming").status_code == 400
