"""EventRecorder: handling of API server failures."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.kubernetes.client.api import ApiError, ApiRequest, ApiUnreachableError
from financehub_scheduler.kubernetes.events.correlator import MAX_RECORDS
from financehub_scheduler.kubernetes.events.drafts import EventDraft
from financehub_scheduler.kubernetes.events.recorder import (
    FORBIDDEN_SECONDS,
    LOG_INTERVAL_SECONDS,
    OUTAGE_SECONDS,
    EventRecorder,
)
from financehub_shared.core.clock import ManualClock
from support.events import ScriptedApi, watched_resource

SKIPPED = EventDraft("Normal", "Skipped", "why")
#: Resources with an even uid are in namespace a, the others in namespace b.
RESOURCES = {str(number): watched_resource(str(number), "ab"[number % 2]) for number in range(MAX_RECORDS + 100)}
FORBIDDEN = ApiError(403, "Forbidden", 'cannot create resource "events"')
TEMPORARY_ERRORS = [
    ApiUnreachableError("no answer"),
    ApiError(401, "Unauthorized", "the token has expired"),
    ApiError(429, "TooManyRequests", "wait"),
    ApiError(500, "InternalError", "a webhook failed"),
    ApiError(503, "", "starting"),
]


class RecorderRig:
    """A recorder with a clock and a fake API server that the test controls.

    Args:
        answer: Function that returns the error for a request, or None for success.
    """

    def __init__(self, answer: Callable[[ApiRequest], Exception | None] = lambda _: None) -> None:
        self.clock = ManualClock()
        self.api = ScriptedApi(answer)
        self.resources = dict(RESOURCES)
        self.recorder = EventRecorder(self.clock, self.api, self.resources, str)

    async def pass_time(self, seconds: int) -> None:
        """Advance the clock second by second, with one step in each."""
        for _ in range(seconds):
            self.clock.advance(1)
            await self.recorder.step()

    def methods(self) -> list[str]:
        """Return the HTTP methods of the requests so far."""
        return [request.method for request in self.api.requests]

    def uids(self) -> list[str]:
        """Return the uids of the resources in the requests so far."""
        return [uid_of(request) for request in self.api.requests]


def body_of(request: ApiRequest) -> Mapping[str, Any]:
    """Return a request's body."""
    assert request.body is not None
    return request.body


def uid_of(request: ApiRequest) -> str:
    """Return the uid of the resource that a new Event is about."""
    return str(body_of(request)["involvedObject"]["uid"])


@pytest.mark.parametrize("error", TEMPORARY_ERRORS, ids=str)
async def test_recorder_during_outage_logs_once_and_retries_every_ten_seconds(error: Exception) -> None:
    """While the API server does not accept Events, one line is logged and one request is sent every ten seconds."""
    up: list[bool] = []
    rig = RecorderRig(lambda _: None if up else error)
    with capture_logs() as logs:
        for uid in "123":
            rig.recorder.record(uid, [SKIPPED])
        await rig.pass_time(60)
        assert len(rig.api.requests) == 60 / OUTAGE_SECONDS
        up.append(True)
        await rig.pass_time(10)
    assert set(rig.uids()[6:]) == {"1", "2", "3"}
    assert [line["event"] for line in logs] == ["event_writes_unavailable", "event_writes_available_again"]


async def test_recorder_with_one_failing_event_posts_the_others() -> None:
    """If the API server fails for one Event only, the others are posted."""
    rig = RecorderRig(lambda request: TEMPORARY_ERRORS[3] if uid_of(request) == "1" else None)
    for uid in "123":
        rig.recorder.record(uid, [SKIPPED])
    await rig.pass_time(30)
    assert set(rig.uids()) == {"1", "2", "3"}


async def test_recorder_with_forbidden_namespace_posts_to_the_others() -> None:
    """A forbidden namespace is retried once a minute and logged once. Events of other namespaces are posted."""
    rig = RecorderRig(lambda request: FORBIDDEN if "/a/" in request.path else None)
    for uid in ("0", "2", "4", "1", "3"):
        rig.recorder.record(uid, [SKIPPED])
    with capture_logs() as logs:
        await rig.pass_time(2 * int(FORBIDDEN_SECONDS))
    assert sum("/b/" in request.path for request in rig.api.requests) == 2
    assert sum("/a/" in request.path for request in rig.api.requests) == 2
    assert [(line["event"], line["remedy"]) for line in logs] == [
        ("event_write_failed", "apply deploy/operator/rbac.yaml: events need create")
    ]


async def test_recorder_with_second_forbidden_namespace_logs_it_after_the_first_is_gone() -> None:
    """A forbidden namespace that no longer exists does not suppress the next forbidden namespace's log line."""
    rig = RecorderRig(lambda _: FORBIDDEN)
    with capture_logs() as logs:
        rig.recorder.record("0", [SKIPPED])
        await rig.pass_time(1)
        del rig.resources["0"]
        await rig.pass_time(3 * int(FORBIDDEN_SECONDS))
        rig.recorder.record("1", [SKIPPED])
        await rig.pass_time(3 * int(FORBIDDEN_SECONDS))
    assert [line["event"] for line in logs] == ["event_write_failed", "event_write_failed"]


async def test_recorder_with_right_revoked_twice_logs_it_twice() -> None:
    """Every revocation and every grant of a right is logged, no matter how soon the next revocation follows."""
    granted: list[bool] = []
    rig = RecorderRig(lambda _: None if granted else FORBIDDEN)
    with capture_logs() as logs:
        rig.recorder.record("1", [SKIPPED])
        await rig.pass_time(1)
        granted.append(True)
        await rig.pass_time(int(FORBIDDEN_SECONDS))
        granted.clear()
        rig.recorder.record("3", [SKIPPED])
        await rig.pass_time(1)
    assert [line["event"] for line in logs] == [
        "event_write_failed",
        "event_writes_available_again",
        "event_write_failed",
    ]
    assert rig.methods() == ["POST", "POST", "POST"]


async def test_recorder_with_forbidden_updates_names_the_missing_verb() -> None:
    """If only updates are forbidden, new Events are posted and the log line names the verb `patch`."""
    rig = RecorderRig(lambda request: FORBIDDEN if request.method == "PATCH" else None)
    with capture_logs() as logs:
        for uid in "1357":
            for _ in range(2):
                rig.recorder.record(uid, [SKIPPED])
                await rig.pass_time(30)
    assert rig.methods().count("POST") == 4
    assert [line["remedy"] for line in logs] == ["apply deploy/operator/rbac.yaml: events need patch"]


@pytest.mark.parametrize(
    "error",
    [
        ApiError(404, "NotFound", 'namespaces "a" not found'),
        ApiError(403, "Forbidden", "unable to create new content in namespace a because it is being terminated"),
    ],
    ids=str,
)
async def test_recorder_with_deleted_namespace_drops_the_event_silently(error: ApiError) -> None:
    """An Event whose namespace is deleted, or is being deleted, is dropped without a log line."""
    rig = RecorderRig(lambda _: error)
    rig.recorder.record("1", [SKIPPED])
    with capture_logs() as logs:
        await rig.pass_time(120)
    assert len(rig.api.requests) == 1
    assert logs == []


async def test_recorder_with_forbidden_and_deleted_resource_drops_the_event_silently() -> None:
    """A 403 for a deleted resource means that the namespace was deleted together with our role. It is not logged."""
    rig = RecorderRig(lambda _: FORBIDDEN)
    rig.recorder.record("1", [SKIPPED])
    del rig.resources["1"]
    with capture_logs() as logs:
        await rig.pass_time(120)
    assert len(rig.api.requests) == 1
    assert logs == []


async def test_recorder_with_lost_answer_updates_the_created_event() -> None:
    """An Event whose creation succeeded but got no response is found again and updated."""
    stored: set[str] = set()

    def answer(request: ApiRequest) -> Exception | None:
        if request.method == "PATCH":
            return None
        if (name := body_of(request)["metadata"]["name"]) in stored:
            return ApiError(409, "AlreadyExists", f'events "{name}" already exists')
        stored.add(name)
        return ApiUnreachableError("lost")

    rig = RecorderRig(answer)
    rig.recorder.record("1", [SKIPPED])
    await rig.pass_time(1)
    rig.recorder.record("1", [SKIPPED])
    await rig.pass_time(15)
    assert len(stored) == 1
    assert rig.methods() == ["POST", "POST", "PATCH"]
    assert body_of(rig.api.requests[-1])["count"] == 2


async def test_recorder_with_expired_event_creates_it_again() -> None:
    """An Event that has expired in the API server is created again with its total count when it occurs again."""
    rig = RecorderRig(lambda request: ApiError(404, "NotFound", "gone") if request.method == "PATCH" else None)
    for _ in range(2):
        rig.recorder.record("1", [SKIPPED])
        await rig.pass_time(35)
    assert rig.methods() == ["POST", "PATCH", "POST"]
    assert body_of(rig.api.requests[-1])["count"] == 2


async def test_recorder_with_refused_events_logs_once_a_minute() -> None:
    """Events that the API server refuses are dropped, and one line per minute is logged."""
    rig = RecorderRig(lambda _: ApiError(422, "Invalid", "reason: too long"))
    for uid in "12345":
        rig.recorder.record(uid, [SKIPPED])
    with capture_logs() as logs:
        await rig.pass_time(int(LOG_INTERVAL_SECONDS))
        rig.recorder.record("6", [SKIPPED])
        await rig.pass_time(2)
    assert len(rig.api.requests) == 6
    assert [line["event"] for line in logs] == ["event_refused", "event_refused"]


@pytest.mark.parametrize("status", [404, 422, 200])
async def test_recorder_with_record_dropped_during_its_request_continues(status: int) -> None:
    """A record that is dropped for newer ones while its request is in progress does not cause an error."""

    def answer(_: ApiRequest) -> Exception | None:
        for uid in RESOURCES:
            rig.recorder.record(uid, [SKIPPED])
        return ApiError(status, "", "no") if status >= 400 else None

    rig = RecorderRig(answer)
    for uid in "01":
        rig.recorder.record(uid, [SKIPPED])
    await rig.pass_time(1)
    # Both were dropped, so the second one is not posted either.
    assert rig.methods() == ["POST"]


async def test_recorder_with_dropped_events_logs_their_number_once_a_minute() -> None:
    """While Events are dropped, one line per minute contains their number, and each dropped Event is counted once."""
    rig = RecorderRig()
    with capture_logs() as logs:
        for second in range(150):
            message = "".join(chr(97 + int(digit)) for digit in str(second))
            rig.recorder.record("1", [EventDraft("Normal", "Failed", message)])
            await rig.pass_time(1)
        await rig.pass_time(60)
    assert {line["event"] for line in logs} == {"events_dropped"}
    assert len(logs) <= 210 / LOG_INTERVAL_SECONDS + 1
    assert sum(line["count"] for line in logs) + rig.methods().count("POST") == 150
