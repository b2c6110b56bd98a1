"""What an operator does in the mode `write`: every action with its confirmation page."""

import pytest
import redis
from playwright.sync_api import expect

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.operations.assets import add_asset
from financehub_shared.redis import keys
from financehub_web.actions.registry import ACTIONS
from support.axe import axe_script
from support.console import HOSTILE_LETTER, STORED_RUN, Console, put_letter
from support.hostile_messages import message
from support.tabs import OpenTab

#: Address of each confirmation page → what the operator enters. A later action may need an earlier one.
STEPS: dict[str, dict[str, str]] = {
    "trigger?schedule=default/demo": {},
    "backfill?schedule=default/demo&start=2026-01-01&end=2026-01-02": {},
    "pause?schedule=default/other": {"reason": "maintenance"},
    "resume?schedule=default/demo": {},
    "run?task=cleanup_old_cache_task": {"argument-dry_run": "true"},
    f"run-again?run={STORED_RUN}": {},
    "fetch?symbol=AAPL": {},
    f"requeue?id={HOSTILE_LETTER}": {},
    "breaker?upstream=binance&change=open": {"reason": "maintenance"},
    "breaker?upstream=binance&change=close": {"reason": "it answers again"},
    "breaker?upstream=binance&change=reset": {"reason": "a new start"},
    "add-asset": {"symbol": "sol-usd", "type": "crypto", "title": "Solana"},
    "remove-asset?symbol=SOL-USD": {},
    "purge?every=1": {},
}


def test_steps_contain_every_action() -> None:
    """No action is left out of the tests below."""
    assert {step.partition("?")[0] for step in STEPS} == {action.name for action in ACTIONS}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_confirmation_pages_fit_and_have_no_barriers(open_tab: OpenTab, writable: Console, theme: str) -> None:
    """Each page that asks before an action fits a small window, and a checker finds nothing serious on it."""
    tab = open_tab(320, is_paused=True, base_url=writable.url, color_scheme=theme, bypass_csp=True)
    with redis.Redis.from_url(writable.redis_url) as client:
        # the steps are not executed here, and only an asset that exists can be removed
        add_asset(RedisStore(client), {"symbol": "SOL-USD", "type": "crypto"})
    for step in STEPS:
        response = tab.page.goto(f"/actions/{step}")
        assert response is not None
        assert response.ok, step
        assert tab.page.evaluate("document.documentElement.scrollWidth") == 320, step
        tab.page.add_script_tag(path=axe_script())
        violations = tab.page.evaluate("axe.run().then((result) => result.violations)")
        assert [each["id"] for each in violations if each["impact"] in {"serious", "critical"}] == [], step
        assert tab.problems == [], step


def test_tasks_with_their_actions_fit_a_window_of_1280_pixels(open_tab: OpenTab, writable: Console) -> None:
    """An operator sees the buttons of the widest table without scrolling sideways."""
    page = open_tab(base_url=writable.url).page
    page.goto("/tasks")
    assert page.locator("main .scroll").evaluate("(each) => each.scrollWidth - each.clientWidth") == 0


def test_selected_letter_stays_selected_while_others_arrive(open_tab: OpenTab, writable: Console) -> None:
    """Updates wait for the selection, and exactly the selected letter is listed and then purged."""
    page = open_tab(base_url=writable.url).page
    page.clock.install()
    with redis.Redis.from_url(writable.redis_url) as client:
        put_letter(client, "chosen", message("fetch_news_task", id="chosen"))
        page.goto("/dead-letters")
        page.check("input[value=chosen]")
        put_letter(client, "newer", message("fetch_news_task", id="newer"))
        asked = []
        page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
        page.clock.run_for(21_000)
        page.wait_for_timeout(300)
        assert asked == []
        expect(page.locator("#updated")).to_have_text("Updates wait for your selection")
        page.click(".selection >> text=Purge")
        expect(page.locator("main tbody th")).to_have_text(["chosen"])
        before = {letter.id for letter in DeadLetterQueue(client).find(limit=None)}
        page.click("button.danger")
        expect(page.locator(".banner.done")).to_contain_text("Purged 1 dead letter.")
        assert before - {letter.id for letter in DeadLetterQueue(client).find(limit=None)} == {"chosen"}


def test_row_stays_the_same_element_when_another_one_arrives(open_tab: OpenTab, writable: Console) -> None:
    """An update puts a new row in its place and leaves the others alone."""
    page = open_tab(base_url=writable.url).page
    page.clock.install()
    page.goto("/dead-letters")
    page.evaluate(f"document.getElementById('letter-{HOSTILE_LETTER}').mark = 'same'")
    with redis.Redis.from_url(writable.redis_url) as client:
        put_letter(client, "newest", message("fetch_news_task", id="newest"))
    page.wait_for_timeout(1_100)
    page.clock.run_for(5_100)
    expect(page.locator("#letter-newest")).to_be_visible()
    assert page.evaluate(f"document.getElementById('letter-{HOSTILE_LETTER}').mark") == "same"


def test_actions_are_done_without_script(open_tab: OpenTab, writable: Console) -> None:
    """Each action is done with its button alone, and the next page says what was done."""
    page = open_tab(320, base_url=writable.url, java_script_enabled=False).page
    for step, entered in STEPS.items():
        page.goto(f"/actions/{step}")
        for name, value in entered.items():
            field = page.locator(f".action [name={name}]")
            if field.evaluate("(each) => each.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        count = page.locator(".action [name=count]:visible")
        if count.count():
            count.fill(str(count.get_attribute("pattern")))
        page.click(".action button")
        expect(page.locator(".banner.done")).to_contain_text("Done.")


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_selected_schedules_are_paused_and_resumed(
    open_tab: OpenTab, writable: Console, *, java_script_enabled: bool
) -> None:
    """An operator selects rows, gives a reason, and sees it with the name in the list until a schedule is resumed."""
    page = open_tab(base_url=writable.url, java_script_enabled=java_script_enabled).page
    with redis.Redis.from_url(writable.redis_url) as client:
        client.delete(keys.SCHEDULES_PAUSED)
    page.goto("/schedules")
    for name in ("default/demo", "default/other"):
        page.check(f"input[value='{name}']")
    page.click(".selection >> text=Pause")
    expect(page.locator(".lead")).to_have_text("Pause 2 schedules?")
    page.fill("[name=reason]", "the provider changes its API")
    page.click(".action button")
    expect(page.locator(".banner.done")).to_contain_text("Paused default/demo, default/other.")
    row = page.locator("[id='pause-default/other']")
    expect(row).to_contain_text("Paused by anonymous")
    expect(row).to_contain_text("the provider changes its API")
    page.goto("/schedules/default/other")
    page.click("text=Resume it")
    page.click(".action button")
    expect(page.locator(".banner.done")).to_contain_text("Resumed default/other.")
    expect(page.locator("text=Pause it")).to_be_visible()


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_backfill_form_shows_what_it_runs(open_tab: OpenTab, writable: Console, *, java_script_enabled: bool) -> None:
    """A wrong time is explained next to its field, and a right one shows exactly which due times will run."""
    page = open_tab(320, base_url=writable.url, java_script_enabled=java_script_enabled).page
    page.goto("/actions/backfill?schedule=default/demo")
    page.fill("[name=start]", "2026/1/1")
    page.click(".ask button")
    start = page.locator("[name=start]").first
    expect(start).to_have_attribute("aria-invalid", "true")
    expect(start).to_have_accessible_description("'2026/1/1' is not a day or time; did you mean 2026-01-01?")
    expect(page.locator("form.action")).to_have_count(0)
    page.fill("[name=start]", "2026-01-01")
    page.fill("[name=end]", "2026-01-02T00:00+01:00")
    page.click(".ask button")
    expect(page.locator(".result")).to_have_text(
        "The range has 1,381 due times: 2026-01-01 00:00 … 2026-01-01 23:00 UTC."
    )
    assert page.locator("tbody th").all_inner_texts()[0] == "2026-01-01 00:00"
    page.fill("[name=count]", "1381")
    page.click(".action button")
    expect(page.locator(".banner.done")).to_contain_text(": 1,381 runs.")


def test_refused_arguments_keep_their_lines(open_tab: OpenTab, writable: Console) -> None:
    """The text that the operator has entered comes back as it was, next to the reason."""
    page = open_tab(base_url=writable.url).page
    text = '\n{\n  "dry_run": "maybe"\n}'
    page.goto("/actions/run?task=cleanup_old_cache_task&arguments=%7B%7D")
    page.fill("[name=arguments]", text)
    page.click(".action button")
    expect(page.locator("[role=alert]")).to_contain_text("Not done.")
    assert page.input_value("[name=arguments]") == text
