"""Hostile data on every page: it is shown as text, and no script, style or direction mark of it has an effect."""

import re

import pytest

from support.console import HOSTILE_END, Console
from support.hostile_fleet import NAMED_LETTER, NAMED_RUN
from support.tabs import PAGES, OpenTab

#: Pages in which nothing comes from outside, or only the numbers of it.
PLAIN = {"/schedules/default/demo"}


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_hostile_names_are_text_on_every_page(open_tab: OpenTab, hostile: Console, *, has_script: bool) -> None:
    """Names of tasks, schedules, hosts, upstreams and users are escaped on each page, also on those named like them."""
    tab = open_tab(is_paused=True, java_script_enabled=has_script, base_url=hostile.url)
    tab.page.goto("/schedules")
    links = tab.page.locator("main a[href*='%3Cscript']").evaluate_all("(all) => all.map((each) => each.href)")
    named = {re.sub(r"^https?://[^/]*", "", link) for link in links}
    assert any(link.startswith("/schedules/default/") for link in named), named
    plain = set()
    for path in [*PAGES, f"/runs/{NAMED_RUN}", f"/dead-letters/{NAMED_LETTER}", *sorted(named)]:
        response = tab.page.goto(path)
        assert response is not None
        assert response.status == 200, path
        assert "owned" not in tab.page.title().removeprefix("✗ ").partition("<script>")[0], path
        assert tab.page.locator("main img, main script, h1 img, h1 script").count() == 0, path
        assert tab.page.locator("a[href^='javascript']").count() == 0, path
        assert "\u202e" not in tab.page.content(), path
        assert tab.problems == [], path
        if HOSTILE_END not in tab.page.locator("body").inner_text():
            plain.add(path)
    assert plain <= PLAIN
