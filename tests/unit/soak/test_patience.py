"""Checks at the end of a soak tolerate a busy server until a deadline, and one that fails does not end the others."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis

from soak import final
from soak.api import Api
from soak.load import LOAD_PREFIX, PERIOD_SECONDS
from soak.patience import Patience, guarded, in_order

_PATH = "/apis/financehub.io/v1alpha1/namespaces/soak/scheduledtasks"
_NOW = 1_700_000_000.0
_NOTHING: dict[str, str] = {}
Handler = Callable[[httpx.Request], httpx.Response]


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = _NOW

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def patience(self) -> Patience:
        """Return a patience that takes no real time."""
        return Patience(self, self.pause)


@pytest.fixture
def time() -> Time:
    """Give a clock."""
    return Time()


def server(handler: Handler, patience: Patience) -> Api:
    """Return a client of an API server that answers as a function does."""
    return Api(httpx.Client(base_url="http://api", transport=httpx.MockTransport(handler)), patience)


def task(number: int, last: float) -> dict[str, Any]:
    """Return a ScheduledTask of the load with its newest due time."""
    uid = f"1b4e28ba-2fa1-11d2-883f-0016d3cca4{number:02}"
    shown = datetime.fromtimestamp(last, UTC).isoformat()
    return {"metadata": {"name": f"{LOAD_PREFIX}{number}", "uid": uid}, "status": {"lastScheduleTime": shown}}


def listed(items: list[dict[str, Any]]) -> httpx.Response:
    """Return the answer to a list."""
    return httpx.Response(200, json={"items": items, "metadata": {}})


def test_statuses_are_waited_for_through_timeouts_errors_and_damaged_answers(time: Time) -> None:
    """The list is read again after each kind of failure, and what it shows at last counts."""
    failures: Iterator[httpx.Response | Exception] = iter(
        [
            httpx.ReadTimeout("slow"),
            httpx.ConnectError("refused"),
            httpx.Response(503),
            httpx.Response(429),
            httpx.Response(200, text="{"),
            listed([task(1, _NOW - 10 * PERIOD_SECONDS)]),
        ]
    )

    def handler(_: httpx.Request) -> httpx.Response:
        answer = next(failures, None)
        if isinstance(answer, Exception):
            raise answer
        return answer or listed([task(1, _NOW + PERIOD_SECONDS)])

    api = server(handler, time.patience())
    assert final.wait_for_statuses(api, _PATH, 1, time.patience(), time) == ""
    assert next(failures, None) is None


def test_statuses_that_stay_outdated_are_named_at_the_deadline(time: Time) -> None:
    """The finding has the number and one name."""
    items = [task(number, _NOW - 10 * PERIOD_SECONDS) for number in range(3)]
    api = server(lambda _: listed(items), time.patience())
    problem = final.wait_for_statuses(api, _PATH, 3, time.patience(), time)
    assert problem == "status: 3 of 3 are not current, such as load-0"
    assert 240 <= time.now - _NOW < 260


def test_list_that_lacks_a_schedule_is_not_current(time: Time) -> None:
    """An empty list has no outdated status, but it is wrong."""
    api = server(lambda _: listed([]), time.patience())
    assert "0 ScheduledTasks of 2 exist" in final.wait_for_statuses(api, _PATH, 2, time.patience(), time)


def test_server_that_never_answers_is_a_finding_and_not_an_error(time: Time) -> None:
    """The finding says that nothing was read, and what was seen before."""

    def handler(_: httpx.Request) -> httpx.Response:
        if time.now == _NOW:
            return listed([])
        raise httpx.ReadTimeout("slow")

    problem = final.wait_for_statuses(server(handler, time.patience()), _PATH, 1, time.patience(), time)
    assert problem == "status: no answer within 240 s: ReadTimeout: slow; before: 0 ScheduledTasks of 1 exist"


def test_page_is_read_again_without_reading_the_ones_before(time: Time) -> None:
    """A long list on a busy server would otherwise never be read to its end."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("continue", "")
        seen.append(token)
        if token == "b" and seen.count("b") < 3:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(200, json={"items": [token], "metadata": {"continue": "" if token else "b"}})

    items: list[Any] = list(server(handler, time.patience()).pages(_PATH))
    assert items == ["", "b"]
    assert seen == ["", "b", "b", "b"]


def test_creation_repeats_what_was_not_answered_and_finds_what_exists(time: Time) -> None:
    """A request whose answer was lost has created its resource, which the second one gets as a conflict."""
    stored: dict[str, dict[str, Any]] = {}
    bodies = [{"metadata": {"name": f"load-{number}"}} for number in range(100)]
    failed: set[str] = set()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=stored[request.url.path.rpartition("/")[2]])
        name = httpx.Response(200, content=request.content).json()["metadata"]["name"]
        if name in stored:
            return httpx.Response(409)
        if name.endswith("3") and name not in failed:
            failed.add(name)
            return httpx.Response(429)
        stored[name] = {"metadata": {"name": name, "uid": f"u-{name}"}}
        if name.endswith("7"):
            raise httpx.ReadTimeout("slow")
        return httpx.Response(201, json=stored[name])

    created = server(handler, time.patience()).create(_PATH, bodies)
    assert [each["metadata"]["uid"] for each in created] == [f"u-load-{number}" for number in range(100)]


def test_refused_request_is_not_repeated(time: Time) -> None:
    """A mistake in a resource ends the creation at once."""
    api = server(lambda _: httpx.Response(422), time.patience())
    with pytest.raises(httpx.HTTPStatusError):
        api.create(_PATH, [{"metadata": {"name": "load-1"}}])
    assert time.now == _NOW


def test_creation_has_many_requests_at_once() -> None:
    """Thousands of resources do not wait for each other."""
    barrier = threading.Barrier(16, timeout=60)

    def handler(_: httpx.Request) -> httpx.Response:
        barrier.wait()
        return httpx.Response(201, json={})

    assert len(server(handler, Patience()).create(_PATH, [{"metadata": {"name": "x"}}] * 16)) == 16


def test_schedulers_that_do_not_end_are_a_finding_without_a_time(time: Time) -> None:
    """Without the end of the schedulers, no time is known until which all due times must be settled."""
    pod = {"metadata": {"name": "scheduler-a", "labels": {"app.kubernetes.io/component": "scheduler"}}}
    answers = iter([subprocess_error(), None])

    def kubectl(*_: str) -> None:
        if error := next(answers, None):
            raise error

    def site(pods: list[dict[str, Any]]) -> Any:
        api = server(lambda _: httpx.Response(200, json={"items": pods}), time.patience())
        return SimpleNamespace(
            api=api, checks=SimpleNamespace(kubectl=kubectl), release=SimpleNamespace(namespace="soak")
        )

    assert final.stop_schedulers(site([pod]), time.patience()) == (None, "schedulers: scheduler-a have not ended")
    stopped_at, problem = final.stop_schedulers(site([]), time.patience())
    assert (stopped_at is not None, problem) == (True, "")


def subprocess_error() -> Exception:
    """Return the error of kubectl if the API server refuses its connection."""
    return AssertionError("kubectl scale: connection refused")


def test_redis_that_does_not_answer_leaves_the_queues_unknown(time: Time) -> None:
    """The finding tells this from a queue that is not empty."""

    def refused() -> redis.Redis:
        raise redis.ConnectionError("refused")

    problem = final.wait_until_drained(refused, time.patience())
    assert problem.startswith("left: no answer within 180 s: ConnectionError")
    assert final.wait_until_drained(lambda: None, time.patience()) == "left: the address of Redis is not known"


def test_check_that_fails_is_a_finding_and_the_next_one_follows() -> None:
    """Whatever a check raises, it is reported, and a check that works returns its value."""
    findings: list[str] = []
    assert guarded("status", lambda: _NOTHING["items"], findings.append) is None
    assert guarded("health", lambda: "ok", findings.append) == "ok"
    assert findings == ["status: could not be checked: KeyError: 'items'"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken")])
def test_end_of_a_soak_follows_its_work_also_after_an_interrupt(error: BaseException) -> None:
    """Ctrl-C and an error both leave a finding, and a second one does not reach the caller, who makes the report."""
    done: list[str] = []

    def fails() -> None:
        done.append("called")
        raise error

    in_order(fails, fails, done.append)
    texts = {"interrupted"} if isinstance(error, KeyboardInterrupt) else {"ended early: RuntimeError: broken"}
    assert [each for each in done if each == "called"] == ["called"] * 2
    assert {each.partition(": ")[2] for each in done if each != "called"} == texts
