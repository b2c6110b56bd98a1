"""The Lease in a real API server; every candidate has a clock of its own, in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.app import Cluster as Origin
from financehub_scheduler.kubernetes.lease import DURATION_SECONDS, HOLD_SECONDS, LOOK_SECONDS, RENEW_SECONDS, Lease
from financehub_shared.core.clock import ManualClock
from support.control_plane.cluster import Cluster
from support.control_plane.tokens import User
from support.operator import connect, rules
from support.tunnel import Tunnel

NAME = Origin().lease
RIGHTS = [rule for rule in rules("Role") if rule["resources"] == ["leases"]]


class Candidate:
    """One process that wants the Lease, on a machine whose clock says what it likes."""

    def __init__(self, lease: Lease, clock: ManualClock) -> None:
        self.lease = lease
        self.clock = clock

    @property
    def holds(self) -> bool:
        return self.lease.holds


Make = Callable[..., Awaitable[Candidate]]


@pytest.fixture
def user(control_plane: Cluster, namespace: str) -> User:
    """Whoever may do with Leases what is shipped, and nothing else."""
    return control_plane.user(namespace, "candidate", RIGHTS)


@pytest.fixture
async def make(user: User) -> AsyncIterator[Make]:
    """Make a candidate; `ahead`: how wrong its wall clock is, seconds."""
    apis = []

    async def make(name: str, ahead: float = 0.0, tunnel: Tunnel | None = None, lease: str = NAME) -> Candidate:
        clock = ManualClock()
        clock.set_wall(clock.now() + ahead)
        apis.append(await connect(user, tunnel.kubeconfig(user.kubeconfig) if tunnel else None))
        return Candidate(Lease(apis[-1], clock, name, lease), clock)

    yield make
    for api in apis:
        await api.aclose()


async def live(seconds: int, *candidates: Candidate, frozen: Candidate | None = None) -> None:
    """Let seconds pass for all; a frozen one does nothing, like a process that is stopped."""
    for _ in range(seconds):
        for each in candidates:
            each.clock.advance(1)
            if each is not frozen:
                await each.lease.step()
            assert sum(one.holds for one in candidates) <= 1


def spec(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """What the Lease says."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
    return dict(cluster.request("GET", path)["spec"])


async def test_one_of_two_holds_it(control_plane: Cluster, namespace: str, make: Make) -> None:
    """Whoever comes first holds the Lease for as long as it lives; the other one waits, wherever its clock stands."""
    first, second = await make("first"), await make("second", ahead=7 * 86_400)
    await first.lease.step()
    await live(5 * DURATION_SECONDS, first, second)
    assert (first.holds, second.holds) == (True, False)
    assert (first.lease.term, second.lease.term) == (1, 0)
    held = spec(control_plane, namespace)
    assert (held["holderIdentity"], held["leaseDurationSeconds"], held["leaseTransitions"]) == ("first", 30, 0)


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 86_400.0])
async def test_a_dead_holder_is_followed(control_plane: Cluster, namespace: str, make: Make, ahead: float) -> None:
    """When its holder has died, the Lease goes to another one after its duration, not before, wherever clocks stand."""
    first, second = await make("first"), await make("second", ahead)
    await first.lease.step()
    await live(12, first, second)
    await live(DURATION_SECONDS - 3, second)
    assert not second.holds
    await live(int(LOOK_SECONDS) + 3, second)
    assert second.holds
    assert spec(control_plane, namespace)["leaseTransitions"] == 1


async def test_a_frozen_holder_knows_it_is_none(make: Make) -> None:
    """A holder that was stopped does not hold when it goes on, before it has asked anybody; never do two hold."""
    first, second = await make("first"), await make("second")
    await first.lease.step()
    await live(15, first, second)
    await live(DURATION_SECONDS + 15, first, second, frozen=first)
    assert (first.holds, second.holds) == (False, True)
    await live(2 * DURATION_SECONDS, first, second)
    assert (first.holds, second.holds) == (False, True)


async def test_a_short_freeze_costs_a_term(make: Make) -> None:
    """A holder that slept past its time, but was not followed, begins a new term: it cannot know what it missed."""
    first = await make("first")
    await first.lease.step()
    first.clock.advance(HOLD_SECONDS)
    assert not first.holds
    await first.lease.step()
    assert (first.holds, first.lease.term) == (True, 2)


async def test_a_released_lease_is_taken_at_once(make: Make) -> None:
    """What the holder gives back at its end is another's at its next look."""
    first, second = await make("first"), await make("second")
    await first.lease.step()
    await live(15, first, second)
    await first.lease.release()
    assert not first.holds
    await live(int(LOOK_SECONDS), second)
    assert second.holds


async def test_nobody_releases_the_lease_of_another(make: Make) -> None:
    """A candidate that ends takes nothing from the holder."""
    first, second = await make("first"), await make("second")
    await first.lease.step()
    await second.lease.step()
    await second.lease.release()
    await live(2 * DURATION_SECONDS, first)
    assert (first.holds, first.lease.term) == (True, 1)


async def test_of_many_at_once_one_wins(make: Make) -> None:
    """A free Lease that ten want at the same moment goes to one of them, new or lapsed."""
    candidates = [await make(f"candidate-{number}") for number in range(10)]
    for _ in range(3):
        await asyncio.gather(*(each.lease.step() for each in candidates))
        assert sum(each.holds for each in candidates) == 1
        await asyncio.gather(*(each.lease.step() for each in candidates))
        for each in candidates:
            # nobody renews: all have seen it, and it lapses for all of them at once
            each.clock.advance(DURATION_SECONDS + LOOK_SECONDS)


async def test_cut_off_the_holder_stops_before_another_begins(make: Make, tunnel: Tunnel) -> None:
    """A holder that cannot reach the API server stops by itself, says so in one line, and may hold again later."""
    first, second = await make("first", tunnel=tunnel), await make("second")
    await first.lease.step()
    tunnel.refuse()
    tunnel.cut()
    with capture_logs() as lines:
        await live(DURATION_SECONDS + 5, first, second)
    assert (first.holds, second.holds) == (False, True)
    assert [line["event"] for line in lines] == ["lease_not_claimed", "lease_acquired"]
    tunnel.accept()
    await second.lease.release()
    await live(int(LOOK_SECONDS), first)
    assert first.holds


async def test_an_answer_that_was_lost_costs_nothing(make: Make, tunnel: Tunnel) -> None:
    """A holder whose renewal came through without its knowledge goes on at the next one."""
    first, second = await make("first", tunnel=tunnel), await make("second")
    await first.lease.step()
    api = first.lease._api
    put = await api.request("GET", f"{first.lease._path}/{NAME}")
    # as our own request did, which we think has failed
    put["spec"]["renewTime"] = "2031-01-01T00:00:00.000000Z"
    await api.request("PUT", f"{first.lease._path}/{NAME}", body=put)
    await live(3 * DURATION_SECONDS, first, second)
    assert (first.holds, first.lease.term) == (True, 1)


async def test_an_administrator_may_depose(control_plane: Cluster, namespace: str, make: Make) -> None:
    """A holder that finds another's name in the Lease stops at once."""
    first = await make("first")
    await first.lease.step()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
    control_plane.request(
        "PATCH", path, {"spec": {"holderIdentity": "someone"}}, content_type="application/merge-patch+json"
    )
    await live(int(RENEW_SECONDS), first)
    assert not first.holds


async def test_a_deleted_lease_is_made_anew(control_plane: Cluster, namespace: str, make: Make) -> None:
    """A Lease that somebody has deleted is created again by its holder."""
    first = await make("first")
    await first.lease.step()
    control_plane.request("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}")
    await live(int(RENEW_SECONDS), first)
    assert (first.holds, first.lease.term) == (True, 1)
    assert spec(control_plane, namespace)["holderIdentity"] == "first"


async def test_it_asks_little(control_plane: Cluster, namespace: str, make: Make, user: User) -> None:
    """Exactly the granted verbs are used; a holder asks twice in ten seconds, one that waits every two."""
    first, second = await make("first"), await make("second")
    await first.lease.step()
    await live(60, first)
    asked = [record["verb"] for record in control_plane.audit(user.name)]
    assert len(asked) <= 2 + 2 * 6
    await live(20, second)
    verbs = [record["verb"] for record in control_plane.audit(user.name)]
    assert verbs.count("get") - asked.count("get") <= 11
    assert set(verbs) == {"get", "create", "update"} == {verb for rule in RIGHTS for verb in rule["verbs"]}


async def test_schedulers_of_another_lease_are_no_rivals(control_plane: Cluster, namespace: str) -> None:
    """Two releases in one namespace each have a Lease, and with it somebody who writes status."""
    anywhere = [{name: value for name, value in rule.items() if name != "resourceNames"} for rule in RIGHTS]
    api = await connect(control_plane.user(namespace, "both", anywhere))
    clock = ManualClock()
    leases = [Lease(api, clock, "candidate", name) for name in ("blue-scheduler", "green-scheduler")]
    for lease in leases:
        await lease.step()
    await api.aclose()
    assert [lease.holds for lease in leases] == [True, True]


async def test_the_leases_of_others_are_out_of_reach(user: User, make: Make) -> None:
    """With what is shipped a scheduler cannot take the Lease by which some other controller elects its leader."""
    mine, foreign = await make("mine"), await make("thief", lease="some-controller")
    with capture_logs() as lines:
        await live(5, mine, foreign)
    assert (mine.holds, foreign.holds) == (True, False)
    assert any("some-controller" in line.get("error", "") for line in lines)


async def test_without_the_right_it_says_so_once(control_plane: Cluster, namespace: str) -> None:
    """Forbidden, a candidate names what is missing, once, and does not hold."""
    user = control_plane.user(namespace, "nobody")
    clock = ManualClock()
    api = await connect(user)
    lease = Lease(api, clock, "nobody", NAME)
    with capture_logs() as lines:
        await live(150, Candidate(lease, clock))
    await api.aclose()
    assert not lease.holds
    (line,) = lines
    assert "cannot get resource" in line["error"]
    assert "rbac.yaml" in line["error"]
