"""ListPages and EventReader: lists and events of a watch become what the source must know."""

import asyncio
import json
from typing import Any

import pytest
import yarl
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.watch.event_reader import EventReader
from financehub_scheduler.kubernetes.watch.list_pages import ListPages
from financehub_scheduler.kubernetes.watch.resource import (
    ListCompleted,
    ResourceApplied,
    ResourceDeleted,
    StatusChanged,
    WatchedResource,
    WatchEvent,
)

LIST = yarl.URL("https://k/apis/financehub.io/v1alpha1/namespaces/default/scheduledtasks?limit=500")
NEXT_PAGE = LIST.update_query({"continue": "token"})
NAMES = ["a", "b", "c", "d"]


def body(uid: str, version: int, generation: int = 1, **metadata: Any) -> dict[str, Any]:
    """Return a ScheduledTask as the API server sends it. Its number of retries is its generation."""
    own = {"uid": uid, "namespace": "default", "name": uid[-1], "generation": generation}
    return {
        "apiVersion": "financehub.io/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {**own, "creationTimestamp": None, "resourceVersion": str(version), **metadata},
        "spec": {"task": "t", "queue": "q", "schedule": "@daily", "retries": generation},
    }


def uid_of(name: str, number: int = 1) -> str:
    """Return the uid of the resource that had a name at some time."""
    return f"00000000-0000-4000-8000-{number:011}{name}"


def page(*resources: dict[str, Any], version: int | str = 9, token: str = "") -> dict[str, Any]:
    """Return one page of a list."""
    return {"items": list(resources) or None, "metadata": {"resourceVersion": str(version), "continue": token}}


class Watched:
    """ListPages and EventReader, connected as in a watch, and the state that their events describe."""

    def __init__(self) -> None:
        self.events: list[WatchEvent] = []
        self.reader = EventReader(None, self.events.append)
        self.pages = ListPages(lambda resource: self.reader.on_event(None, resource), self.reader.on_list)

    def receive(self, kind: str, resource: dict[str, Any]) -> None:
        """Receive one event of a watch, as KopfWatch does."""
        if not self.pages.is_outdated(resource):
            self.reader.on_event(kind, resource)

    @property
    def known(self) -> dict[str, int]:
        """Uid → generation of every resource that the events leave."""
        found: dict[str, WatchedResource] = {}
        for event in self.events:
            match event:
                case ResourceApplied(resource) | StatusChanged(resource):
                    found[resource.uid] = resource
                case ResourceDeleted(uid):
                    found.pop(uid, None)
        return {uid: resource.generation for uid, resource in found.items()}


def test_pages_of_a_list_are_delivered_and_emptied() -> None:
    """Each resource of both pages is delivered in order, then the end of the list. kopf finds no resource in a page."""
    watched = Watched()
    first, second = page(body(uid_of("a"), 1), token="t"), page(body(uid_of("b"), 2))
    watched.pages.take(LIST, first)
    assert not any(isinstance(event, ListCompleted) for event in watched.events)
    watched.pages.take(NEXT_PAGE, second)
    assert [getattr(event, "uid", None) for event in watched.events] == [uid_of("a"), uid_of("b"), None]
    assert (first["items"], second["items"]) == ([], [])
    assert (first["metadata"]["continue"], second["metadata"]["resourceVersion"]) == ("t", "9")


def test_empty_list_is_complete() -> None:
    """The API server sends null for an empty list. The list is complete, and the known resources are deleted."""
    watched = Watched()
    watched.pages.take(LIST, page(body(uid_of("a"), 1)))
    watched.pages.take(LIST, page(version=12))
    assert watched.events[-2:] == [ResourceDeleted(uid_of("a")), ListCompleted(None)]


def test_interrupted_list_counts_for_nothing() -> None:
    """A list that ends after its first page deletes nothing, and the next list begins without its resources."""
    watched = Watched()
    watched.pages.take(LIST, page(body(uid_of("a"), 1), body(uid_of("b"), 2)))
    watched.pages.take(LIST, page(body(uid_of("a"), 1), version=20, token="t"))
    assert set(watched.known) == {uid_of("a"), uid_of("b")}
    watched.pages.take(LIST, page(body(uid_of("b"), 2), version=21))
    assert set(watched.known) == {uid_of("b")}


@pytest.mark.parametrize(
    "url",
    [
        "https://k/apis/financehub.io/v1alpha1",
        "https://k/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500",
        "https://k/api/v1/namespaces?limit=500",
    ],
)
def test_other_responses_pass_unchanged(url: str) -> None:
    """Lists of other resources, such as those of kopf's own observers, are left as they are."""
    watched, answer = Watched(), page(body(uid_of("a"), 1))
    watched.pages.take(yarl.URL(url), answer)
    assert (answer, watched.events) == (page(body(uid_of("a"), 1)), [])


def test_unreadable_resource_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A resource that cannot be read at all is logged, and the rest of the list is delivered."""
    watched, broken = Watched(), body(uid_of("a"), 1)
    del broken["metadata"]["generation"]
    watched.pages.take(LIST, page(broken, body(uid_of("b"), 2)))
    assert set(watched.known) == {uid_of("b")}
    assert isinstance(watched.events[-1], ListCompleted)
    assert "resource_read_failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("listed", "version", "outdated"),
    [(9, "9", True), (9, "8", True), (9, "10", False), (9, "x", False), ("x", "8", False), (10, "9", True)],
)
def test_event_older_than_the_list_is_outdated(listed: int | str, version: str, outdated: bool) -> None:
    """An event counts if it is newer than the list as a number, or if a server's versions are not numbers."""
    watched = Watched()
    resource = body(uid_of("a"), 1, resourceVersion=version)
    assert not watched.pages.is_outdated(resource)
    watched.pages.take(LIST, page(version=listed))
    assert watched.pages.is_outdated(resource) == outdated


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """What happens in an API server: creations, edits, status changes and deletions, with increasing versions."""
    history: list[tuple[str, dict[str, Any]]] = []
    present: dict[str, dict[str, Any]] = {}
    for version in range(1, draw(st.integers(1, 14)) + 1):
        name = draw(st.sampled_from(NAMES))
        if name not in present:
            present[name] = body(uid_of(name, version), version)
            history.append(("ADDED", present[name]))
        elif draw(st.booleans()):
            old = present[name]["metadata"]
            generation = old["generation"] + draw(st.sampled_from([0, 1]))
            present[name] = body(old["uid"], version, generation)
            history.append(("MODIFIED", present[name]))
        else:
            gone = present.pop(name)["metadata"]
            history.append(("DELETED", body(gone["uid"], version, gone["generation"])))
    return history


@given(data=st.data(), history=histories())
def test_lists_and_late_events_always_lead_to_the_state_of_the_server(
    data: st.DataObject, history: list[tuple[str, dict[str, Any]]]
) -> None:
    """Whenever a watch breaks and lists again, and however late its last events arrive, the newest state is known.

    kopf keeps the order of the events of one resource only.
    """
    watched, late = Watched(), list[tuple[str, dict[str, Any]]]()
    lists = sorted(data.draw(st.sets(st.integers(0, len(history)))) | {0})
    for begin, end in zip(lists, [*lists[1:], len(history)], strict=True):
        present = {body["metadata"]["uid"]: body for kind, body in history[:begin] if kind != "DELETED"}
        for kind, resource in history[:begin]:
            if kind == "DELETED":
                present.pop(resource["metadata"]["uid"])
        resources = list(present.values())
        split = data.draw(st.integers(0, len(resources)))
        watched.pages.take(LIST, page(*resources[:split], version=begin, token="t"))
        watched.pages.take(NEXT_PAGE, page(*resources[split:], version=begin))
        for event in late:
            watched.receive(*event)
        seen = begin + data.draw(st.integers(0, end - begin)) if end < len(history) else end
        delivered = begin + data.draw(st.integers(0, seen - begin)) if end < len(history) else end
        for event in history[begin:delivered]:
            watched.receive(*event)
        late = history[delivered:seen]
    expected: dict[str, int] = {}
    for kind, resource in history:
        expected[resource["metadata"]["uid"]] = resource["metadata"]["generation"]
        if kind == "DELETED":
            del expected[resource["metadata"]["uid"]]
    assert watched.known == expected


async def test_session_with_response_class_empties_only_successful_lists() -> None:
    """In a real session, kopf's reader gets the empty page of a list and the unchanged body of a refusal."""
    watched = Watched()
    refusal = {"kind": "Status", "items": [1], "metadata": {}}

    async def answer(request: web.Request) -> web.Response:
        if request.query.get("limit") == "1":
            return web.json_response(refusal, status=403)
        return web.json_response(page(body(uid_of("a"), 1)))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{LIST.path}"
    async with ClientSession(response_class=watched.pages.response_class) as session:
        async with session.get(url, params={"limit": "500"}) as response:
            assert (await response.json())["items"] == []
        async with session.get(url, params={"limit": "1"}) as response:
            assert json.dumps(await response.json()) == json.dumps(refusal)
    await runner.cleanup()
    await asyncio.sleep(0)
    assert set(watched.known) == {uid_of("a")}


def test_list_is_in_progress_from_its_first_page_to_its_last_one() -> None:
    """What changed before a list is known only when the list is complete, also if it is broken off and repeated."""
    watched, found = Watched(), []
    steps = [(LIST, "t"), (LIST, "t"), (NEXT_PAGE, "t"), (NEXT_PAGE, ""), (LIST, "")]
    for url, token in steps:
        watched.pages.take(url, page(body(uid_of("a"), 1), token=token))
        found.append(watched.pages.is_listing)
    assert found == [True, True, True, False, False]
