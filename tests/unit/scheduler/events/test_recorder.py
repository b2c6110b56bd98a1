"""What comes of an answer that is not the one hoped for."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError
from financehub_scheduler.kubernetes.events.correlator import REMEMBERED
from financehub_scheduler.kubernetes.events.drafts import Happening
from financehub_scheduler.kubernetes.events.recorder import AWAY_SECONDS, COMPLAIN_SECONDS, FORBIDDEN_SECONDS, Recorder
from financehub_shared.core.clock import ManualClock
from support.events import Asked, ScriptedApi, sighted

SKIPPED = Happening("Normal", "Skipped", "why")
RESOURCES = {str(number): sighted(str(number), "ab"[number % 2]) for number in range(REMEMBERED + 100)}
FORBIDDEN = ApiError(403, "Forbidden", 'cannot create resource "events"')
AWAY = [
    ApiUnreachableError("no answer"),
    ApiError(401, "Unauthorized", "the token has expired"),
    ApiError(429, "TooManyRequests", "wait"),
    ApiError(500, "InternalError", "a webhook failed"),
    ApiError(503, "", "starting"),
]


class Bench:
    """A recorder, its clock and its API server."""

    def __init__(self, answer: Callable[[Asked], Exception | None] = lambda _: None) -> None:
        self.clock = ManualClock()
        self.api = ScriptedApi(answer)
        self.resources = dict(RESOURCES)
        self.recorder = Recorder(self.clock, self.api, self.resources, str)

    async def pass_time(self, seconds: int) -> None:
        """Let seconds pass, with a step in each."""
        for _ in range(seconds):
            self.clock.advance(1)
            await self.recorder.step()

    def methods(self) -> list[str]:
        """Of the requests so far."""
        return [asked.method for asked in self.api.asked]


@pytest.mark.parametrize("error", AWAY, ids=str)
async def test_what_passes_is_waited_for(error: Exception) -> None:
    """While the API server does not serve us, one line says so, and one request in ten seconds tries again."""
    up: list[bool] = []
    bench = Bench(lambda _: None if up else error)
    with capture_logs() as logs:
        for uid in "123":
            bench.recorder.note(uid, [SKIPPED])
        await bench.pass_time(60)
        assert len(bench.api.asked) == 60 / AWAY_SECONDS
        up.append(True)
        await bench.pass_time(10)
    told = {asked.body["involvedObject"]["uid"] for asked in bench.api.asked[6:]}
    assert told == {"1", "2", "3"}
    assert [each["event"] for each in logs] == ["events_wait", "events_posted_again"]


async def test_one_that_always_fails_holds_up_nobody() -> None:
    """Where the API server fails for one Event alone, the others are told."""
    bench = Bench(lambda it: AWAY[3] if it.body["involvedObject"]["uid"] == "1" else None)
    for uid in "123":
        bench.recorder.note(uid, [SKIPPED])
    await bench.pass_time(30)
    assert {asked.body["involvedObject"]["uid"] for asked in bench.api.asked} == {"1", "2", "3"}


async def test_a_namespace_without_the_right_holds_up_no_other() -> None:
    """Forbidden in one namespace, Events of another are told; the first is tried once a minute, and said once."""
    bench = Bench(lambda it: FORBIDDEN if "/a/" in it.path else None)
    for uid in ("0", "2", "4", "1", "3"):
        bench.recorder.note(uid, [SKIPPED])
    with capture_logs() as logs:
        await bench.pass_time(2 * int(FORBIDDEN_SECONDS))
    assert sum("/b/" in asked.path for asked in bench.api.asked) == 2
    assert sum("/a/" in asked.path for asked in bench.api.asked) == 2
    assert [(each["event"], each["mend"]) for each in logs] == [
        ("events_forbidden", "apply deploy/operator/rbac.yaml: events need create")
    ]


async def test_a_right_that_nobody_waits_for_any_more_silences_nothing() -> None:
    """A namespace that was forbidden and then went does not keep the next one that is forbidden out of the log."""
    bench = Bench(lambda _: FORBIDDEN)
    with capture_logs() as logs:
        bench.recorder.note("0", [SKIPPED])
        await bench.pass_time(1)
        del bench.resources["0"]
        await bench.pass_time(3 * int(FORBIDDEN_SECONDS))
        bench.recorder.note("1", [SKIPPED])
        await bench.pass_time(3 * int(FORBIDDEN_SECONDS))
    assert [each["event"] for each in logs] == ["events_forbidden", "events_forbidden"]


async def test_a_right_that_is_taken_again_is_said_again() -> None:
    """Each time a right is missing one line says so, and one when it is there again, however soon."""
    granted: list[bool] = []
    bench = Bench(lambda _: None if granted else FORBIDDEN)
    with capture_logs() as logs:
        bench.recorder.note("1", [SKIPPED])
        await bench.pass_time(1)
        granted.append(True)
        await bench.pass_time(int(FORBIDDEN_SECONDS))
        granted.clear()
        bench.recorder.note("3", [SKIPPED])
        await bench.pass_time(1)
    assert [each["event"] for each in logs] == ["events_forbidden", "events_posted_again", "events_forbidden"]
    assert bench.methods() == ["POST", "POST", "POST"]


async def test_a_right_to_create_without_one_to_patch_is_named() -> None:
    """Where only updates are forbidden, new Events are told, and the line names the verb that is missing."""
    bench = Bench(lambda it: FORBIDDEN if it.method == "PATCH" else None)
    with capture_logs() as logs:
        for uid in "1357":
            for _ in range(2):
                bench.recorder.note(uid, [SKIPPED])
                await bench.pass_time(30)
    assert bench.methods().count("POST") == 4
    assert [each["mend"] for each in logs] == ["apply deploy/operator/rbac.yaml: events need patch"]


@pytest.mark.parametrize(
    "error",
    [
        ApiError(404, "NotFound", 'namespaces "a" not found'),
        ApiError(403, "Forbidden", "unable to create new content in namespace a because it is being terminated"),
    ],
    ids=str,
)
async def test_what_is_gone_is_dropped(error: ApiError) -> None:
    """An Event whose namespace is gone or going is dropped without a word."""
    bench = Bench(lambda _: error)
    bench.recorder.note("1", [SKIPPED])
    with capture_logs() as logs:
        await bench.pass_time(120)
    assert len(bench.api.asked) == 1
    assert logs == []


async def test_roles_that_went_with_their_namespace_are_not_missed() -> None:
    """Forbidden for a resource that is gone means that its namespace is gone with our role, and is no complaint."""
    bench = Bench(lambda _: FORBIDDEN)
    bench.recorder.note("1", [SKIPPED])
    del bench.resources["1"]
    with capture_logs() as logs:
        await bench.pass_time(120)
    assert len(bench.api.asked) == 1
    assert logs == []


async def test_a_lost_answer_makes_no_second_event() -> None:
    """An Event that was created, and whose answer was lost, is found again and counted up."""
    stored: set[str] = set()

    def answer(asked: Asked) -> Exception | None:
        if asked.method == "PATCH":
            return None
        if (name := asked.body["metadata"]["name"]) in stored:
            return ApiError(409, "AlreadyExists", f'events "{name}" already exists')
        stored.add(name)
        return ApiUnreachableError("lost")

    bench = Bench(answer)
    bench.recorder.note("1", [SKIPPED])
    await bench.pass_time(1)
    bench.recorder.note("1", [SKIPPED])
    await bench.pass_time(15)
    assert len(stored) == 1
    assert bench.methods() == ["POST", "POST", "PATCH"]
    assert bench.api.asked[-1].body["count"] == 2


async def test_an_event_that_has_expired_is_created_anew() -> None:
    """Where the API server has forgotten an Event that goes on, it is created again with its whole count."""
    bench = Bench(lambda it: ApiError(404, "NotFound", "gone") if it.method == "PATCH" else None)
    for _ in range(2):
        bench.recorder.note("1", [SKIPPED])
        await bench.pass_time(35)
    assert bench.methods() == ["POST", "PATCH", "POST"]
    assert bench.api.asked[-1].body["count"] == 2


async def test_what_is_not_taken_is_said_once_a_minute() -> None:
    """An Event that the API server will never take is dropped, and a line a minute tells of it."""
    bench = Bench(lambda _: ApiError(422, "Invalid", "reason: too long"))
    for uid in "12345":
        bench.recorder.note(uid, [SKIPPED])
    with capture_logs() as logs:
        await bench.pass_time(int(COMPLAIN_SECONDS))
        bench.recorder.note("6", [SKIPPED])
        await bench.pass_time(2)
    assert len(bench.api.asked) == 6
    assert [each["event"] for each in logs] == ["event_refused", "event_refused"]


@pytest.mark.parametrize("status", [404, 422, 200])
async def test_a_flood_while_one_is_on_its_way(status: int) -> None:
    """An Event that is forgotten for newer ones while the API server is being told of it ends nothing."""

    def answer(_: Asked) -> Exception | None:
        for uid in RESOURCES:
            bench.recorder.note(uid, [SKIPPED])
        return ApiError(status, "", "no") if status >= 400 else None

    bench = Bench(answer)
    for uid in "01":
        bench.recorder.note(uid, [SKIPPED])
    await bench.pass_time(1)
    # neither is kept, so the second is not told either
    assert bench.methods() == ["POST"]


async def test_what_is_dropped_is_said_once_a_minute() -> None:
    """However long a flood lasts, one line a minute says how many were dropped, and each is in one of them."""
    bench = Bench()
    with capture_logs() as logs:
        for second in range(150):
            message = "".join(chr(97 + int(digit)) for digit in str(second))
            bench.recorder.note("1", [Happening("Normal", "Failed", message)])
            await bench.pass_time(1)
        await bench.pass_time(60)
    assert {each["event"] for each in logs} == {"events_dropped"}
    assert len(logs) <= 210 / COMPLAIN_SECONDS + 1
    assert sum(each["count"] for each in logs) + bench.methods().count("POST") == 150
