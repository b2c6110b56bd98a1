"""Tests the actions of the console with a real server and a real Redis: what they change, ask, refuse and record."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.breaker import force_open, list_breakers, reset
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.text import dump_json
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.monitor.run_arguments import RunArguments
from financehub_shared.operations.schedules import pause_schedules
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules, show_backfill, show_schedule
from financehub_shared.views.formats import iso_time
from financehub_web.actions.audit import DETAIL_BYTES, Audit
from financehub_web.actions.registry import ACTIONS
from integration.web.test_console import PAGES
from support.full_redis import OTHER_UID
from support.redis_server import RedisServer
from support.web_server import serving

#: Pages with actions, and those with actions for what is selected.
OFFERING = {
    *("/assets", "/providers", "/tasks", "/dead-letters", "/dead-letters/letter-q", "/schedules"),
    *("/schedules/default/demo", "/quotes/AAPL", "/runs/task-ended"),
}
SELECTING = {"/schedules", "/dead-letters"}
_FACT = re.compile(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>")
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def console(filled: redis.Redis, redis_url: str) -> Iterator[httpx.Client]:
    """A browser's client of a console on loopback in the mode `write`."""
    with (
        serving(redis_url, web_mode="write", web_host="localhost", web_requests_per_second=1_000) as server,
        server.client(headers=SAME_ORIGIN) as client,
    ):
        yield client


def form_of(page: httpx.Response) -> dict[str, list[str]]:
    """Return the values of the form on the page of an action, as a browser without JavaScript would send them."""
    assert page.status_code == 200, page.text
    form = page.text.partition('<form class="action"')[2].partition("</form>")[0]
    values: dict[str, list[str]] = {}
    for tag in re.findall(r"<(?:input|select|textarea) [^>]*>(?:[^<]*(?=</textarea>))?", form):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        assert name
        values.setdefault(name[1], []).append(unescape(value[1]) if value else "")
    return values


def confirm(console: httpx.Client, address: str, **entered: str) -> httpx.Response:
    """Open the page of an action, enter values, and press its button."""
    values = form_of(console.get(address)) | {name: [value] for name, value in entered.items()}
    return console.post(urlsplit(address).path, data=values)


def done(console: httpx.Client, response: httpx.Response) -> str:
    """Return the text that the console shows after an action was executed."""
    assert response.status_code == 303, response.text
    page = console.get(response.headers["location"])
    assert page.status_code == 200
    assert "<strong>Done.</strong>" in page.text
    return parse_qs(urlsplit(response.headers["location"]).query)["done"][0]


def test_trigger_requests_a_run(console: httpx.Client, filled: redis.Redis) -> None:
    """Triggering leaves one request for the schedulers, one entry of the audit log, and one line with it in the log."""
    name = list_schedules(filled)[0].name
    filled.delete(keys.SCHEDULE_TRIGGERS)
    with capture_logs() as logs:
        entry = done(console, confirm(console, f"/actions/trigger?schedule={name}"))
    assert filled.hlen(keys.SCHEDULE_TRIGGERS) == 1
    recorded = Audit(filled).find(entry)
    assert recorded
    assert (recorded.user, recorded.action, recorded.details) == ("anonymous", "trigger", {"schedule": name})
    (line,) = [each for each in logs if each["event"] == "console_action"]
    assert line["log_level"] == "info"
    assert (line["user"], line["action"], line["details"]) == (recorded.user, recorded.action, recorded.details)
    assert (line["text"], line["succeeded"]) == (recorded.text, True)


def test_refused_action_is_one_line_of_the_log(console: httpx.Client, filled: redis.Redis) -> None:
    """The log of the process says who was refused what and why, as the audit log does."""
    form = {"upstream": "binance", "change": "open", "reason": " "}
    with capture_logs() as logs:
        assert console.post("/actions/breaker", data=form).status_code == 409
    (line,) = [each for each in logs if each["event"] == "console_action"]
    (recorded,) = Audit(filled).newest()
    assert (line["user"], line["action"], line["details"]) == ("anonymous", "breaker", form)
    assert (line["text"], line["succeeded"]) == (recorded.text, False)


def backfill_page(console: httpx.Client, **values: str) -> httpx.Response:
    """Open the page that shows what a backfill runs."""
    return console.get("/actions/backfill", params={"schedule": "default/demo", **values})


def test_backfill_runs_the_range_that_was_shown(console: httpx.Client, filled: redis.Redis) -> None:
    """The page has the exact number of runs, and the request has the range of the page."""
    filled.delete(keys.SCHEDULE_BACKFILLS)
    page = backfill_page(console, start="2026-01-01", end="2026-01-01T01:39Z")
    assert "The range has 100 due times: 2026-01-01 00:00 … 2026-01-01 01:39 UTC." in page.text
    assert "Due times that have already run are run again." in page.text
    assert "<dd>Allow</dd>" in page.text
    form = form_of(page)
    done(console, console.post("/actions/backfill", data=form))
    (id,) = filled.smembers(keys.SCHEDULE_BACKFILLS)
    backfill = show_backfill(filled, id.decode())
    assert (iso_time(backfill.start), iso_time(backfill.end)) == (
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T01:39:00.000Z",
    )


def test_backfill_of_many_runs_needs_the_number_typed(console: httpx.Client, filled: redis.Redis) -> None:
    """From 101 runs on, nothing is requested unless the operator types how many there are."""
    filled.delete(keys.SCHEDULE_BACKFILLS)
    form = form_of(backfill_page(console, start="2026-01-01", end="2026-01-01 01:40"))
    assert form["count"] == [""]
    for number, typed in enumerate(("100", "102", "10001")):
        values = form | {"form_key": [f"{number:032x}"], "count": [typed]}
        refused = console.post("/actions/backfill", data=values)
        assert refused.status_code == 409, typed
        assert "The range has 101 due times, but you confirmed" in refused.text
    without = {name: value for name, value in form.items() if name not in {"count", "form_key"}}
    assert console.post("/actions/backfill", data=without).status_code == 409
    assert filled.scard(keys.SCHEDULE_BACKFILLS) == 0
    done(console, console.post("/actions/backfill", data=form | {"count": ["101"]}))
    assert filled.scard(keys.SCHEDULE_BACKFILLS) == 1


def test_backfill_of_a_wrong_range_says_next_to_the_field_what_to_enter(
    console: httpx.Client, filled: redis.Redis
) -> None:
    """The page shows what is wrong with a range, offers no button, and a program that sends it is refused."""
    before = filled.scard(keys.SCHEDULE_BACKFILLS)
    for start, end, reason in (
        ("tomorrow", "", "&#39;tomorrow&#39; is not a day or time"),
        ("2026/1/2", "", "did you mean 2026-01-02?"),
        ("2026-11-31", "", "that month has the days from 1 to 30"),
        ("2026-01-02", "2026-01-01", "must end in"),
        ("2999-01-01", "", "must begin in the past"),
        ("0001-01-01", "", "2000-01-01 or later"),
        ("0001-01-01T00:00+14:00", "0001-01-02", "2000-01-01 or later"),
        ("1999-12-31T23:59Z", "", "2000-01-01 or later"),
        ("2026-01-02", "9999-12-31T23:59-14:00", "must end in"),
        ("2026-01-01 00:00:30", "2026-01-01 00:00:59", "No due time of the schedule is in this range."),
        ("2026-01-01", "", "more than 10,000 due times"),
    ):
        page = backfill_page(console, start=start, end=end)
        assert page.status_code == 200, start
        assert reason in page.text, start
        assert '<form class="action"' not in page.text, start
        refused = console.post("/actions/backfill", data={"schedule": "default/demo", "start": start, "end": end})
        assert refused.status_code == 409, start
        assert reason in refused.text, start
        assert "None" not in Audit(filled).newest()[0].text
    assert filled.scard(keys.SCHEDULE_BACKFILLS) == before


def test_backfill_form_begins_with_a_range_that_has_a_due_time(console: httpx.Client, filled: redis.Redis) -> None:
    """The form is filled with a range up to now, in the zone of the schedule, that contains at least one due time."""
    (uid,) = [info.uid for info in list_schedules(filled) if info.name == "default/demo"]
    spec = json.dumps({"task": "task", "schedule": "0 9 1 * *", "timeZone": "Asia/Tokyo"})
    filled.hset(keys.schedule(uid), "spec", spec)
    page = backfill_page(console)
    assert re.search(r'name="start" value="\d{4}-\d\d-\d\d \d\d:\d\d"', page.text)
    assert re.search(r"The range has [12] due times?: ", page.text)
    assert "a day or time in Asia/Tokyo" in page.text
    filled.hset(keys.schedule(uid), "spec", "{}")
    page = backfill_page(console)
    assert page.status_code == 200
    assert "cannot be computed from the stored spec" in page.text


def test_run_starts_a_task_with_its_arguments(console: httpx.Client, filled: redis.Redis) -> None:
    """A run is enqueued and recorded as queued. Wrong arguments are refused and enqueue nothing."""
    response = confirm(console, "/actions/run?task=cleanup_old_cache_task", **{"argument-dry_run": "true"})
    done(console, response)
    id = urlsplit(response.headers["location"]).path.rpartition("/")[2]
    run = TaskMonitor(filled).get_run(id)
    assert run
    assert (run.state, run.arguments) == (RunState.QUEUED, RunArguments([], {"dry_run": True}))
    before = filled.hlen("dramatiq:low.msgs")
    for arguments in ("{", "[]", '{"dry_run": "maybe"}', '{"unknown": 1}', '{"symbols": ["BTC-USD"]}'):
        values = {"task": "cleanup_old_cache_task", "arguments": arguments}
        refused = console.post("/actions/run", data=values)
        assert refused.status_code == 409, arguments
    assert filled.hlen("dramatiq:low.msgs") == before


def test_run_has_a_field_for_each_argument_of_its_task(console: httpx.Client, filled: redis.Redis) -> None:
    """The fields come from the model of the arguments. A wrong value is explained, and stays for a correction."""
    page = form_of(console.get("/actions/run?task=fetch_stock_prices_task"))
    assert page.keys() == {"form_key", "task", "argument-symbols"}
    assert form_of(console.get("/actions/run?task=health_check_task")).keys() == {"form_key", "task"}
    before = filled.hlen("dramatiq:high.msgs")
    address = "/actions/run?task=fetch_stock_prices_task"
    refused = confirm(console, address, **{"argument-symbols": "AAPL, apple <b>"})
    assert refused.status_code == 409
    assert "is not a symbol" in refused.text
    assert Audit(filled).newest()[0].text.startswith("symbols.1: 'apple <b>' is not a symbol")
    assert 'value="AAPL, apple &lt;b&gt;"' in refused.text
    for values in ({"argument-unknown": "1"}, {"argument-symbols": "x" * 20_001}, {"other": "1"}, {"argument-": "1"}):
        refused = console.post("/actions/run", data={"task": "fetch_stock_prices_task", **values})
        assert refused.status_code in {400, 409}, values
    assert filled.hlen("dramatiq:high.msgs") == before
    done(console, confirm(console, address, **{"argument-symbols": "AAPL"}))
    (message,) = [each for each in map(json.loads, filled.hvals("dramatiq:high.msgs")) if each["kwargs"]]
    assert message["kwargs"] == {"symbols": ["AAPL"]}
    done(console, confirm(console, "/actions/run?task=cleanup_old_cache_task"))
    sent = [json.loads(each)["kwargs"] for each in filled.hvals("dramatiq:low.msgs") if b"cleanup_old" in each]
    assert {} in sent


def record_run(filled: redis.Redis, id: str, arguments: str | None, **fields: str) -> None:
    """Write the record of a run that has ended."""
    record = {"state": "succeeded", "task": "cleanup_old_cache_task", "queue": "low", **fields}
    filled.hset(keys.run(id), mapping=record | ({} if arguments is None else {"arguments": arguments}))


def test_run_again_enqueues_the_task_with_the_same_arguments(console: httpx.Client, filled: redis.Redis) -> None:
    """The new message has the task, the queue and the arguments of the earlier run, and its page shows them."""
    record_run(filled, "earlier", '{"kwargs": {"dry_run": true}}')
    page = console.get("/runs/earlier")
    assert "/actions/run-again?run=earlier" in page.text
    assert "dry_run" in page.text
    response = confirm(console, "/actions/run-again?run=earlier")
    done(console, response)
    id = urlsplit(response.headers["location"]).path.rpartition("/")[2]
    (message,) = [each for each in map(json.loads, filled.hvals("dramatiq:low.msgs")) if each["message_id"] == id]
    assert (message["actor_name"], message["args"], message["kwargs"]) == (
        "cleanup_old_cache_task",
        [],
        {"dry_run": True},
    )
    run = TaskMonitor(filled).get_run(id)
    assert run
    assert run.arguments == RunArguments([], {"dry_run": True})


@pytest.mark.parametrize(
    ("arguments", "fields", "reason"),
    [
        (None, {}, "The record of this run has no arguments."),
        ('{"bytes": 4000}', {}, "The arguments have 4,000 bytes, and at most 2,000 are stored."),
        ('{"kwargs": {"key": "***"}, "masked": true}', {}, "The arguments contain secrets, which are masked."),
        ('{"kwargs": 3}', {}, "The stored arguments are damaged."),
        ("{}", {"task": "(unknown)"}, "No worker knows the task of this run."),
        ('{"kwargs": {"dry_run": "no"}}', {}, "dry_run"),
        ('{"args": [1]}', {}, "accepts keyword arguments only"),
        ("{}", {"task": "other", "queue": ""}, "Unknown task 'other'"),
        ("{}", {"task": "other", "queue": "a b\n"}, "The name of the queue in the record of this run is damaged."),
    ],
)
def test_run_again_without_usable_arguments_is_refused(
    console: httpx.Client, filled: redis.Redis, arguments: str | None, fields: dict[str, str], reason: str
) -> None:
    """A run whose arguments are not known exactly, or that no worker would accept, enqueues nothing and says why."""
    record_run(filled, "earlier", arguments, **fields)
    before = [filled.hlen(f"dramatiq:{queue}.msgs") for queue in ("low", "a b\n", "")]
    if not reason.startswith(("dry_run", "accepts", "Unknown")):
        page = console.get("/runs/earlier").text
        assert reason in unescape(page)
        assert "run-again" not in page
    refused = console.post("/actions/run-again", data={"run": "earlier"})
    assert refused.status_code == 409
    assert reason in unescape(refused.text)
    assert [filled.hlen(f"dramatiq:{queue}.msgs") for queue in ("low", "a b\n", "")] == before
    assert console.post("/actions/run-again", data={"run": "unknown-run"}).status_code in {400, 409}


def test_cancel_leads_back_to_what_the_action_would_change(console: httpx.Client, filled: redis.Redis) -> None:
    """Cancel leads to the page of the one thing that is named, and to the list if there are several."""
    record_run(filled, "earlier", "{}")
    first, second = [letter.id for letter in DeadLetterQueue(filled).find()][:2]
    for address, back in (
        ("trigger?schedule=default/demo", "/schedules/default/demo"),
        ("backfill?schedule=default/demo", "/schedules/default/demo"),
        ("backfill?schedule=default/demo&start=soon", "/schedules/default/demo"),
        ("pause?schedule=default/other", "/schedules/default/other"),
        ("pause?schedule=default/demo&schedule=default/other", "/schedules"),
        ("run-again?run=earlier", "/runs/earlier"),
        ("run?task=health_check_task", "/tasks"),
        ("fetch?symbol=BTC-USD", "/quotes/BTC-USD"),
        (f"purge?id={first}", f"/dead-letters/{first}"),
        (f"purge?id={first}&id={second}", "/dead-letters"),
    ):
        page = console.get(f"/actions/{address}")
        assert f'<a class="button" href="{back}">Cancel</a>' in page.text, address


def test_fetch_starts_the_price_task_for_one_asset(console: httpx.Client, filled: redis.Redis) -> None:
    """The price task of the asset's type runs for this asset only."""
    asset = RedisStore(filled).assets()[0]
    before = filled.hlen("dramatiq:high.msgs")
    done(console, confirm(console, f"/actions/fetch?symbol={asset.symbol.lower()}"))
    assert filled.hlen("dramatiq:high.msgs") == before + 1


def test_fetch_is_not_offered_for_an_inactive_asset(console: httpx.Client, filled: redis.Redis) -> None:
    """The page of the asset has no button, and a request of the action is refused before a confirmation."""
    RedisStore(filled).put_assets([Asset("OLD", AssetType.STOCK, "An old asset", active=False)])
    assert "/actions/fetch?symbol=OLD" not in console.get("/quotes/OLD").text
    refused = console.get("/actions/fetch?symbol=OLD")
    assert refused.status_code == 409
    assert "OLD is not active, so its prices are not fetched." in refused.text
    assert '<form class="action"' not in refused.text


def test_dead_letters_are_requeued_or_purged_by_selection(console: httpx.Client, filled: redis.Redis) -> None:
    """Only the selected letters are changed."""
    letters = DeadLetterQueue(filled)
    ids = [letter.id for letter in letters.find()]
    assert len(ids) >= 2
    done(console, confirm(console, f"/actions/purge?id={ids[0]}"))
    assert [letter.id for letter in letters.find()] == ids[1:]
    done(console, confirm(console, f"/actions/requeue?id={ids[1]}"))
    assert [letter.id for letter in letters.find()] == ids[2:]


@pytest.mark.parametrize("action", ["requeue", "purge"])
@pytest.mark.parametrize("selection", ["every=1", "task=task"])
def test_change_of_all_letters_needs_the_number_typed(
    console: httpx.Client, filled: redis.Redis, action: str, selection: str
) -> None:
    """Nothing is changed if the typed number is wrong, missing, or no longer that of the matching letters."""
    letters = DeadLetterQueue(filled)
    count = len(letters.find(limit=None))
    assert count == 2
    address = f"/actions/{action}?{selection}"
    assert f"Type {count} to confirm" in console.get(address).text
    assert form_of(console.get(address))["count"] == [""]
    for typed in ("", "0", str(count + 1)):
        refused = confirm(console, address, count=typed)
        assert refused.status_code in {400, 409}, typed
    without = {name: value for name, value in form_of(console.get(address)).items() if name != "count"}
    refused = console.post(f"/actions/{action}", data=without)
    assert refused.status_code == 409
    assert f"{count} dead letters match, but you confirmed 0. Nothing was changed." in refused.text
    assert len(letters.find(limit=None)) == count
    values = form_of(console.get(address)) | {"count": [str(count)]}
    done(console, confirm(console, f"/actions/purge?id={letters.find()[0].id}"))
    refused = console.post(f"/actions/{action}", data=values)
    assert refused.status_code == 409
    assert f"1 dead letter matches, but you confirmed {count}. Nothing was changed." in refused.text
    done(console, confirm(console, address, count="1"))
    assert letters.find() == []


@pytest.mark.parametrize("action", ["requeue", "purge"])
def test_change_of_selected_letters_needs_a_click(console: httpx.Client, filled: redis.Redis, action: str) -> None:
    """The user has seen each of them, so the form contains their number."""
    ids = [letter.id for letter in DeadLetterQueue(filled).find()]
    form = form_of(console.get(f"/actions/{action}", params={"id": ids}))
    assert form["count"] == [str(len(ids))]
    done(console, console.post(f"/actions/{action}", data=form))
    assert DeadLetterQueue(filled).find() == []


def test_nothing_selected_is_refused(console: httpx.Client) -> None:
    """An action without a selection is never an action on everything."""
    for action in ("requeue", "purge"):
        assert console.get(f"/actions/{action}").status_code == 400
        assert console.post(f"/actions/{action}", data={"count": "2"}).status_code in {400, 409}


@pytest.mark.parametrize(
    ("address", "detail", "link"),
    [
        ("pause", "No schedule is selected; select some of them in the list.", '"/schedules">Go to Schedules'),
        ("trigger?schedule=nope/x", "&#39;nope/x&#39; is not registered", '"/schedules">Go to Schedules'),
        ("trigger", "schedule: the value is missing.", '"/schedules">Go to Schedules'),
        ("requeue?reason=none", "No dead letter matches.", '"/dead-letters">Go to Dead letters'),
        ("fetch?symbol=BTCUSD", "did you mean BTC-USD?<", '"/quotes">Go to Quotes'),
    ],
)
def test_action_that_cannot_be_asked_leads_back_to_its_list(
    console: httpx.Client, address: str, detail: str, link: str
) -> None:
    """The page of the error has one sentence and the way back, and its title has no mark that looks like success."""
    page = console.get(f"/actions/{address}")
    assert page.status_code in {400, 409}
    assert detail in page.text
    assert link in page.text
    assert "<title>✓" not in page.text


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_schedule_with_a_damaged_record_is_named(console: httpx.Client, filled: redis.Redis, action: str) -> None:
    """A schedule whose state is unknown is neither changed nor called paused, alone and with others."""
    filled.hset(keys.schedule(OTHER_UID), "spec", "{")
    for names in (["default/other"], ["default/demo", "default/other"]):
        page = console.get(f"/actions/{action}", params={"schedule": names})
        assert page.status_code == 409
        assert "default/other: the record is damaged or missing. Nothing was changed." in page.text


@pytest.mark.parametrize(("change", "state"), [("open", "open"), ("close", "closed"), ("reset", "closed")])
def test_breaker_is_changed_with_a_reason(console: httpx.Client, filled: redis.Redis, change: str, state: str) -> None:
    """A breaker gets the state, and the audit log has the reason."""
    response = confirm(console, f"/actions/breaker?upstream=binance&change={change}", reason="maintenance until noon")
    entry = Audit(filled).find(done(console, response))
    assert entry
    assert "maintenance until noon" in entry.text
    info = next(info for info in list_breakers(filled) if info.upstream == "binance")
    assert (info.state, info.change and info.change.reason) == (state, "maintenance until noon")
    page = console.get("/providers").text
    verb = {"open": "Opened", "close": "Closed", "reset": "Reset"}[change]
    assert f"{verb} by anonymous <time" in page
    assert "</time>: maintenance until noon" in page


def test_breaker_of_an_upstream_with_parts_shows_their_states(console: httpx.Client, filled: redis.Redis) -> None:
    """Each part that the action would change is named with its state, and an unused breaker says so."""
    for feed in ("rss:one", "rss:two"):
        reset(filled, feed, by="test", reason="")
    force_open(filled, "rss:two", by="test", reason="")
    facts = dict(_FACT.findall(console.get("/actions/breaker?upstream=rss&change=close").text))
    assert {name: state for name, state in facts.items() if name in {"rss:one", "rss:two"}} == {
        "rss:one": "closed",
        "rss:two": "open",
    }
    assert "State now" not in facts
    facts = dict(_FACT.findall(console.get("/actions/breaker?upstream=kraken&change=open").text))
    assert facts["State now"] == "not used yet"


def test_breaker_is_not_changed_without_a_reason(console: httpx.Client, filled: redis.Redis) -> None:
    """The page asks again, and nothing was changed."""
    before = list_breakers(filled)
    response = confirm(console, "/actions/breaker?upstream=binance&change=reset", reason="  ")
    assert response.status_code == 409
    assert "Enter the reason" in response.text
    assert list_breakers(filled) == before


@pytest.mark.parametrize(
    ("address", "entered", "reason"),
    [
        ("breaker?upstream=binance&change=open", {"reason": "x" * 201}, "It has 201 characters; enter at most 200."),
        ("add-asset", {"symbol": "SOL-USD", "type": "crypto", "title": "x" * 300}, "at most 100"),
        ("add-asset", {"symbol": "X" * 100, "type": "stock", "title": "x"}, "is invalid"),
        ("add-asset", {"symbol": "SOL-USD", "type": "crypto", "currency": "x" * 30}, "ISO 4217"),
    ],
)
def test_long_text_stays_in_its_field(
    console: httpx.Client, address: str, entered: dict[str, str], reason: str
) -> None:
    """A text that is too long is refused with the limit, and the page still has all that was entered."""
    refused = confirm(console, f"/actions/{address}", **entered)
    assert refused.status_code == 409
    assert reason in refused.text
    for name, value in entered.items():
        assert name == "type" or f'name="{name}" value="{value}"' in refused.text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("breaker?upstream=nope&change=open", "Unknown upstream 'nope'"),
        ("remove-asset?symbol=NOPE", "Unknown symbol 'NOPE'"),
    ],
)
def test_action_that_would_be_refused_is_not_offered(console: httpx.Client, address: str, reason: str) -> None:
    """The page says at once that the breaker or asset cannot be changed, before the user writes a reason."""
    page = console.get(f"/actions/{address}")
    assert page.status_code == 400
    assert reason in unescape(page.text)
    assert '<form class="action"' not in page.text


def test_asset_is_added_and_removed(console: httpx.Client, filled: redis.Redis) -> None:
    """An asset of the console can be removed, a wrong symbol is refused with the reason, and so is a declared one."""
    store = RedisStore(filled)
    done(console, confirm(console, "/actions/add-asset", symbol="sol-usd", type="crypto", title="Solana"))
    assert "SOL-USD" in {asset.symbol for asset in store.assets()}
    assert "active, added by hand" in console.get("/quotes/SOL-USD").text
    assert ">added by hand<" in console.get("/assets?show=added").text
    done(console, confirm(console, "/actions/remove-asset?symbol=SOL-USD"))
    assert "SOL-USD" not in {asset.symbol for asset in store.assets()}
    refused = confirm(console, "/actions/add-asset", symbol="BTCUSDT", type="crypto")
    assert refused.status_code == 409
    assert "BTC-USD" in refused.text
    assert console.post("/actions/remove-asset", data={"symbol": "NOPE"}).status_code == 400


@pytest.mark.parametrize("mode", ["read-only", "write"])
@pytest.mark.parametrize("origin", ["same-origin", "cross-site", ""])
def test_no_action_is_executed_read_only_or_from_another_site(
    filled: redis.Redis, redis_url: str, mode: str, origin: str
) -> None:
    """Each action is refused with 403 in the mode read-only, and in the mode write unless it comes from the console."""
    headers = {"Sec-Fetch-Site": origin} if origin else {}
    may_pass = mode == "write" and origin == "same-origin"
    with serving(redis_url, web_mode=mode, web_host="localhost") as server, server.client(headers=headers) as client:
        for action in (each.name for each in ACTIONS):
            response = client.post(f"/actions/{action}", data={"unknown": "1"})
            # With 400, it has passed the gate, and its form is wrong.
            assert response.status_code == (400 if may_pass else 403), action
            shown = client.get(f"/actions/{action}").status_code
            assert shown == (403 if mode == "read-only" else response_of_get(action)), action
    assert not filled.exists(keys.AUDIT)


def response_of_get(action: str) -> int:
    """Return the status of the page of an action without values."""
    return 200 if action == "add-asset" else 400


def settings_of(user: str, folder: Path) -> dict[str, object]:
    """Return the settings of the console that a user opens, whose token is the name of the role."""
    path = folder / "tokens.yaml"
    digests = {role: hashlib.sha256(role.encode()).hexdigest() for role in ("viewer", "operator")}
    entries = [f"- {{name: {role}, role: {role}, sha256: '{digest}'}}" for role, digest in digests.items()]
    path.write_text("\n".join(entries), encoding="utf-8")
    tokens = {} if user == "anonymous" else {"web_tokens_file": path}
    return {"web_host": "localhost", "web_requests_per_second": 1_000, **tokens}


@pytest.mark.parametrize(
    ("mode", "user"),
    [("read-only", "anonymous"), ("read-only", "operator"), ("write", "viewer"), ("write", "operator")],
)
def test_only_an_operator_of_a_writable_console_is_offered_actions(
    filled: redis.Redis, redis_url: str, tmp_path: Path, mode: str, user: str
) -> None:
    """No page has a button, a selection or a form of an action, unless its user may execute it."""
    record_run(filled, "task-ended", "{}")
    may_act = (mode, user) == ("write", "operator")
    settings, auth = settings_of(user, tmp_path), None if user == "anonymous" else ("", user)
    with serving(redis_url, web_mode=mode, **settings) as server, server.client(auth=auth) as client:
        for path in PAGES:
            page = client.get(path)
            assert page.status_code == 200, path
            assert ("/actions/" in page.text) == (may_act and path in OFFERING), path
            assert ('class="selection"' in page.text) == (may_act and path in SELECTING), path
            assert 'method="post"' not in page.text, path
            assert may_act or 'aria-label="Select ' not in page.text, path


def test_hostile_values_are_shown_as_text(console: httpx.Client) -> None:
    """A value with markup from the address or a form never becomes an element."""
    hostile = "<script>alert(1)</script>\u202e"
    for path in (
        "/actions/breaker?change=open&upstream=",
        "/actions/remove-asset?symbol=",
        "/actions/add-asset?title=",
        "/actions/run?task=",
        "/?done=",
    ):
        page = console.get(path + hostile)
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text


@pytest.mark.parametrize("content", [b"symbol=" + b"a" * 1_000_000, b"id=a&" * 2_001], ids=["bytes", "values"])
def test_large_form_is_refused(console: httpx.Client, content: bytes) -> None:
    """A form of many megabytes or of many values ends in a clear error."""
    response = console.post("/actions/purge", content=content)
    assert response.status_code == 413
    assert "Select fewer rows" in response.text


def test_notice_shows_only_entries_of_the_audit_log(console: httpx.Client, filled: redis.Redis) -> None:
    """A link cannot make the console show a text that is not in the audit log."""
    entry = Audit(filled).record("alice", "trigger", "Requested the run.")
    assert "Requested the run." in console.get(f"/?done={entry.id}").text
    for id in ("1-1", "x", "-", "+", "9" * 30 + "-0", f"{entry.id}9", ""):
        assert "Requested the run." not in console.get(f"/?done={id}").text, id


def test_audit_log_is_shown_and_survives_foreign_entries(console: httpx.Client, filled: redis.Redis) -> None:
    """About shows the newest actions, leaves out what it cannot read, and a key of another type costs nothing else."""
    Audit(filled).record("alice", "purge", "Purged 3 dead letters.", details={"every": True})
    filled.xadd(keys.AUDIT, {"foreign": b"\xff"})
    filled.xadd(keys.AUDIT, {"user": b"\xff", "action": "x", "text": "<b>bold</b>", "details": "{"})
    page = console.get("/about").text
    assert "Purged 3 dead letters." in page
    assert "<b>bold" not in page
    filled.delete(keys.AUDIT)
    filled.set(keys.AUDIT, "a text")
    assert console.get("/about").status_code == 200
    done(console, confirm(console, "/actions/breaker?upstream=binance&change=close", reason="x"))
    assert len(Audit(filled).newest()) == 1


def test_form_is_executed_once(console: httpx.Client, filled: redis.Redis) -> None:
    """A double click sends a form twice. The second one changes nothing, and a new form does."""
    name = list_schedules(filled)[0].name
    filled.delete(keys.SCHEDULE_TRIGGERS)
    values = form_of(console.get(f"/actions/trigger?schedule={name}"))
    done(console, console.post("/actions/trigger", data=values))
    second = console.post("/actions/trigger", data=values)
    assert second.status_code == 409
    assert "sent before" in second.text
    assert filled.hlen(keys.SCHEDULE_TRIGGERS) == 1
    done(console, confirm(console, f"/actions/trigger?schedule={name}"))
    assert filled.hlen(keys.SCHEDULE_TRIGGERS) == 2
    assert 0 < filled.ttl(keys.form(values["form_key"][0])) <= 86_400


def test_program_needs_no_form_key_but_a_wrong_one_is_refused(console: httpx.Client, filled: redis.Redis) -> None:
    """A key that no form of the console has is a mistake, and never part of a key of Redis."""
    change = {"upstream": "binance", "change": "close", "reason": "it answers again"}
    assert console.post("/actions/breaker", data=change).status_code == 303
    assert console.post("/actions/breaker", data=change | {"form_key": "x" * 32}).status_code == 400
    assert not filled.exists(keys.form("x" * 32))


def fill_up(client: redis.Redis) -> None:
    """Let Redis refuse every write that needs memory."""
    client.config_set("maxmemory", 1)


def test_purge_of_a_full_redis_shows_its_outcome(console: httpx.Client, filled: redis.Redis) -> None:
    """What was done is shown with the note that the audit log has no entry, because the purge makes room."""
    letters = DeadLetterQueue(filled)
    values = form_of(console.get(f"/actions/purge?id={letters.find()[0].id}"))
    count = len(letters.find())
    fill_up(filled)
    try:
        response = console.post("/actions/purge", data=values)
        assert response.status_code == 200
        assert "Purged 1 dead letter." in response.text
        assert "The audit log could not be written" in response.text
        assert len(letters.find()) == count - 1
        refused = console.post("/actions/purge", data=values)
        assert refused.status_code == 409
    finally:
        filled.config_set("maxmemory", 0)


def test_refusal_without_an_audit_log_is_still_explained(console: httpx.Client, filled: redis.Redis) -> None:
    """A refused action is an error page with the reason and the note, and never an unexpected error."""
    fill_up(filled)
    try:
        refused = console.post("/actions/run", data={"task": "cleanup_old_cache_task", "arguments": "{"})
        assert refused.status_code == 409
        assert "not valid JSON" in refused.text
        assert "The audit log could not be written" in refused.text
    finally:
        filled.config_set("maxmemory", 0)


def test_notice_is_read_once_and_not_again_with_each_update(console: httpx.Client, filled: redis.Redis) -> None:
    """No address in the page contains the id of the entry, and the page reads the entry with one command."""
    entry = Audit(filled).record("alice", "trigger", "Requested the run.")
    filled.config_resetstat()
    page = console.get(f"/quotes?done={entry.id}&q=a")
    assert filled.info("commandstats")["cmdstat_xrevrange"]["calls"] == 1
    assert page.text.count("Requested the run.") == 1
    assert "done=" not in page.text
    live = page.text.partition('<main id="live"')[2].partition("</main>")[0]
    assert "Requested the run." not in live  # so it stays when the page updates itself


def test_viewer_reads_the_audit_log(filled: redis.Redis, redis_url: str) -> None:
    """Who may read the state of the fleet may read who changed it."""
    Audit(filled).record("alice", "purge", "Purged 3 dead letters.")
    with serving(redis_url) as server, server.client() as client:
        assert "Purged 3 dead letters." in client.get("/about").text


def test_details_of_the_audit_log_are_short(filled: redis.Redis) -> None:
    """Values of any size take about 1 kB in an entry, and its beginning is kept."""
    ids = [f"id-{number:040}" for number in range(1_000)]
    for details in (
        {"id": ids, "queue": "q"},
        {"arguments": "x" * 20_000},
        {str(number): "\U0001f4a5" * 500 for number in range(9)},
    ):
        audit = Audit(filled)
        found = audit.find(audit.record("alice", "purge", "p" * 50_000, details=details).id)
        assert found
        assert found.details.keys() == details.keys()
        assert len(dump_json(found.details).encode()) <= DETAIL_BYTES
        assert len(found.text) <= 1_001
    audit.record("alice", "purge", "Purged.", details={"id": ids})
    kept = audit.newest()[0].details["id"]
    assert isinstance(kept, list)
    assert kept[0] == ids[0]
    assert kept[-1] == f"and {1_000 - len(kept) + 1} more"


def test_about_says_that_the_audit_log_cannot_be_read(redis_server: Callable[..., RedisServer]) -> None:
    """An outage is not shown as if nothing had been done."""
    own_redis = redis_server()
    with serving(own_redis.url, web_requests_per_second=1_000) as server, server.client() as client:
        assert "Nothing yet." in client.get("/about").text
        own_redis.stop()
        page = client.get("/about?done=1-1")
        assert page.status_code == 200
        assert "Nothing yet." not in page.text
        assert page.text.count("audit log cannot be read") == 2


def test_schedule_is_paused_with_a_reason_and_resumed(console: httpx.Client, filled: redis.Redis) -> None:
    """Every page with the schedule shows who paused it and why, and the buttons fit its state."""
    address, page = "/actions/pause?schedule=default/other", "/schedules/default/other"
    assert f'href="{address.replace("/other", "%2Fother")}"' in console.get(page).text
    for reason, problem in (("  ", "say why"), ("x" * 201, "it has 201 characters; write at most 200")):
        refused = confirm(console, address, reason=reason)
        assert refused.status_code == 409
        assert problem in refused.text
    assert "It has 201 characters; enter at most 200." in refused.text
    assert f'value="{"x" * 201}"' in refused.text, "the user can shorten it"
    assert not filled.hexists(keys.SCHEDULES_PAUSED, OTHER_UID)

    entry = Audit(filled).find(done(console, confirm(console, address, reason="the feed changes <b>")))
    assert entry
    assert entry.text == "Paused default/other. Reason: the feed changes <b>"
    assert (entry.user, entry.details["schedule"]) == ("anonymous", ["default/other"])
    paused = show_schedule(filled, "default/other").paused
    assert paused
    assert (paused.by, paused.reason) == ("anonymous", "the feed changes <b>")
    shown = console.get(page).text
    assert "Paused by anonymous <time" in shown
    assert "</time>: the feed changes &lt;b&gt;" in shown
    assert "/actions/resume?" in shown
    assert "/actions/pause?" not in shown
    assert "It has no next run." in shown
    for path in ("/schedules", "/schedules?state=paused"):
        assert "the feed changes &lt;b&gt;" in console.get(path).text
    assert console.get("/api/v1/schedules/default/other").json()["data"]["paused"]["reason"] == paused.reason
    names = [each["name"] for each in console.get("/api/v1/schedules?paused=false").json()["data"]]
    assert "default/other" not in names

    again = confirm_without_page(console, "pause", "default/other", reason="another reason")
    assert again.status_code == 409
    assert "paused already" in again.text
    done(console, confirm(console, "/actions/resume?schedule=default/other"))
    assert show_schedule(filled, "default/other").paused is None
    assert "/actions/pause?" in console.get(page).text
    assert confirm_without_page(console, "resume", "default/other").status_code == 409


def confirm_without_page(console: httpx.Client, action: str, *names: str, **entered: str) -> httpx.Response:
    """Send the form of an action for schedules, as a program would."""
    return console.post(f"/actions/{action}", data={"schedule": list(names), **entered})


def test_selected_schedules_are_paused_and_resumed(console: httpx.Client, filled: redis.Redis) -> None:
    """The page that asks lists the selected schedules, and the outcome names those that were changed."""
    filled.delete(keys.SCHEDULES_PAUSED)
    page = console.get("/schedules").text
    assert '<input type="checkbox" name="schedule" value="default/demo"' in page
    pause_schedules(filled, ["default/demo"], "an earlier reason", "alice")
    selection = "schedule=default/demo&schedule=default/other"
    asked = console.get(f"/actions/pause?{selection}").text
    assert "Pause 2 schedules?" in asked
    assert "paused by alice: an earlier reason" in asked
    entry = Audit(filled).find(done(console, confirm(console, f"/actions/pause?{selection}", reason="maintenance")))
    assert entry
    assert entry.text == "Paused default/other. 1 was not changed. Reason: maintenance"
    reasons = {info.name: info.paused and info.paused.reason for info in list_schedules(filled)}
    assert reasons == {"default/demo": "an earlier reason", "default/other": "maintenance"}
    done(console, confirm(console, f"/actions/resume?{selection}"))
    assert not filled.exists(keys.SCHEDULES_PAUSED)
    for action in ("pause", "resume"):
        assert "select some of them" in console.get(f"/actions/{action}").text
        assert console.get(f"/actions/{action}?schedule=unknown").status_code == 400
        assert confirm_without_page(console, action, "default/demo", "unknown", reason="x").status_code in {400, 409}
    assert not filled.exists(keys.SCHEDULES_PAUSED)


@pytest.mark.parametrize("value", ['{"by": "<i>", "reason": "<script>alert(1)</script>\\u202e", "at": 1}', "{", ""])
def test_pause_of_another_program_is_shown_as_text(console: httpx.Client, filled: redis.Redis, value: str) -> None:
    """An entry with markup is text, a damaged one is a problem with the remedy, and both can be resumed."""
    filled.hset(keys.SCHEDULES_PAUSED, OTHER_UID, value)
    for path in ("/schedules", "/schedules/default/other", "/actions/resume?schedule=default/other", "/"):
        page = console.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
        assert ("&lt;script&gt;" in page.text or "resume the schedule, and pause it again" in page.text) or path == "/"
    done(console, confirm(console, "/actions/resume?schedule=default/other"))
    assert not filled.hexists(keys.SCHEDULES_PAUSED, OTHER_UID)
