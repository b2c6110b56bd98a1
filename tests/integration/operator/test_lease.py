"""Tests of leader election with a Lease in a real API server. The test controls each candidate's clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.kubernetes.client.api import ApiRequest
from financehub_scheduler.kubernetes.lease import DURATION_SECONDS, HOLD_SECONDS, POLL_SECONDS, RENEW_SECONDS, Lease
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_shared.core.clock import ManualClock
from support.operator import connect, rules
from support.tunnel import Tunnel
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User

NAME = ClusterOrigin().lease
LEASE_RULES = [rule for rule in rules("Role") if rule["resources"] == ["leases"]]


class Candidate:
    """One process that takes part in the election, with its own clock.

    Args:
        lease: The candidate's view of the Lease.
        clock: Its clock, which may be wrong.
    """

    def __init__(self, lease: Lease, clock: ManualClock) -> None:
        self.lease = lease
        self.clock = clock

    @property
    def is_leader(self) -> bool:
        """Whether this candidate considers itself the leader."""
        return self.lease.is_leader


MakeCandidate = Callable[..., Awaitable[Candidate]]


@pytest.fixture
def user(control_plane: Cluster, namespace: str) -> User:
    """A service account that has only the shipped rights on Leases."""
    return control_plane.user(namespace, "candidate", LEASE_RULES)


@pytest.fixture
async def make_candidate(user: User) -> AsyncIterator[MakeCandidate]:
    """Make a candidate. `ahead` is the error of its wall clock in seconds."""
    apis = []

    async def make(name: str, ahead: float = 0.0, tunnel: Tunnel | None = None, lease: str = NAME) -> Candidate:
        clock = ManualClock()
        clock.set_wall(clock.now() + ahead)
        apis.append(await connect(user, tunnel.kubeconfig(user.kubeconfig) if tunnel else None))
        return Candidate(Lease(apis[-1], clock, name, lease), clock)

    yield make
    for api in apis:
        await api.aclose()


async def pass_time(seconds: int, *candidates: Candidate, frozen: Candidate | None = None) -> None:
    """Advance all clocks second by second, and check that there is never more than one leader.

    Args:
        seconds: Number of seconds.
        candidates: The candidates.
        frozen: A candidate that does not step, like a stopped process.
    """
    for _ in range(seconds):
        for candidate in candidates:
            candidate.clock.advance(1)
            if candidate is not frozen:
                await candidate.lease.step()
            assert sum(each.is_leader for each in candidates) <= 1


def lease_path(namespace: str) -> str:
    """Return the path of the Lease."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"


def lease_spec(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return the spec of the Lease."""
    return dict(cluster.request("GET", lease_path(namespace))["spec"])


async def test_lease_with_two_candidates_stays_with_the_first(
    control_plane: Cluster, namespace: str, make_candidate: MakeCandidate
) -> None:
    """The first candidate is the leader while it lives. The other one waits, even if its clock is wrong."""
    first, second = await make_candidate("first"), await make_candidate("second", ahead=7 * 86_400)
    await first.lease.step()
    await pass_time(5 * DURATION_SECONDS, first, second)
    assert (first.is_leader, second.is_leader) == (True, False)
    assert (first.lease.term, second.lease.term) == (1, 0)
    spec = lease_spec(control_plane, namespace)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("first", 30, 0)


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 86_400.0])
async def test_lease_of_dead_leader_is_taken_after_its_duration(
    control_plane: Cluster, namespace: str, make_candidate: MakeCandidate, ahead: float
) -> None:
    """A dead leader's Lease is taken after its duration and not before, even if clocks are wrong."""
    first, second = await make_candidate("first"), await make_candidate("second", ahead)
    await first.lease.step()
    await pass_time(12, first, second)
    await pass_time(DURATION_SECONDS - 3, second)
    assert not second.is_leader
    await pass_time(int(POLL_SECONDS) + 3, second)
    assert second.is_leader
    assert lease_spec(control_plane, namespace)["leaseTransitions"] == 1


async def test_frozen_leader_stops_before_its_next_request(make_candidate: MakeCandidate) -> None:
    """A leader that was stopped is not the leader when it continues, even before it sends a request."""
    first, second = await make_candidate("first"), await make_candidate("second")
    await first.lease.step()
    await pass_time(15, first, second)
    await pass_time(DURATION_SECONDS + 15, first, second, frozen=first)
    assert (first.is_leader, second.is_leader) == (False, True)
    await pass_time(2 * DURATION_SECONDS, first, second)
    assert (first.is_leader, second.is_leader) == (False, True)


async def test_leader_frozen_briefly_begins_a_new_term(make_candidate: MakeCandidate) -> None:
    """A leader that was paused beyond its lease duration begins a new term, because it may have missed changes."""
    first = await make_candidate("first")
    await first.lease.step()
    first.clock.advance(HOLD_SECONDS)
    assert not first.is_leader
    await first.lease.step()
    assert (first.is_leader, first.lease.term) == (True, 2)


async def test_released_lease_is_taken_at_the_next_poll(make_candidate: MakeCandidate) -> None:
    """A Lease that the leader releases is taken at another candidate's next poll."""
    first, second = await make_candidate("first"), await make_candidate("second")
    await first.lease.step()
    await pass_time(15, first, second)
    await first.lease.release()
    assert not first.is_leader
    await pass_time(int(POLL_SECONDS), second)
    assert second.is_leader


async def test_release_by_another_candidate_changes_nothing(make_candidate: MakeCandidate) -> None:
    """A candidate that ends does not release the leader's Lease."""
    first, second = await make_candidate("first"), await make_candidate("second")
    await first.lease.step()
    await second.lease.step()
    await second.lease.release()
    await pass_time(2 * DURATION_SECONDS, first)
    assert (first.is_leader, first.lease.term) == (True, 1)


async def test_free_lease_with_ten_concurrent_candidates_has_one_leader(make_candidate: MakeCandidate) -> None:
    """A new or expired Lease that ten candidates claim at the same moment goes to one of them."""
    candidates = [await make_candidate(f"candidate-{number}") for number in range(10)]
    for _ in range(3):
        await asyncio.gather(*(candidate.lease.step() for candidate in candidates))
        assert sum(candidate.is_leader for candidate in candidates) == 1
        await asyncio.gather(*(candidate.lease.step() for candidate in candidates))
        for candidate in candidates:
            # Nobody renews it. All of them have read it, and it expires for all of them at the same time.
            candidate.clock.advance(DURATION_SECONDS + POLL_SECONDS)


async def test_disconnected_leader_stops_before_another_begins(make_candidate: MakeCandidate, tunnel: Tunnel) -> None:
    """A leader that cannot reach the API server stops by itself, logs one line, and may become the leader later."""
    first, second = await make_candidate("first", tunnel=tunnel), await make_candidate("second")
    await first.lease.step()
    tunnel.refuse()
    tunnel.cut()
    with capture_logs() as lines:
        await pass_time(DURATION_SECONDS + 5, first, second)
    assert (first.is_leader, second.is_leader) == (False, True)
    assert [line["event"] for line in lines] == ["lease_acquisition_failed", "lease_acquired"]
    tunnel.accept()
    await second.lease.release()
    await pass_time(int(POLL_SECONDS), first)
    assert first.is_leader


async def test_leader_with_lost_answer_keeps_its_term(make_candidate: MakeCandidate) -> None:
    """A leader whose renewal succeeded but got no response keeps its term at the next renewal."""
    first, second = await make_candidate("first"), await make_candidate("second")
    await first.lease.step()
    api = first.lease._api
    path = f"{first.lease._path}/{NAME}"
    lease = await api.send(ApiRequest("GET", path))
    # This simulates our own request whose response was lost.
    lease["spec"]["renewTime"] = "2031-01-01T00:00:00.000000Z"
    await api.send(ApiRequest("PUT", path, lease))
    await pass_time(3 * DURATION_SECONDS, first, second)
    assert (first.is_leader, first.lease.term) == (True, 1)


async def test_leader_replaced_by_administrator_stops(
    control_plane: Cluster, namespace: str, make_candidate: MakeCandidate
) -> None:
    """A leader that finds another identity in the Lease stops immediately."""
    first = await make_candidate("first")
    await first.lease.step()
    body = {"spec": {"holderIdentity": "someone"}}
    control_plane.request("PATCH", lease_path(namespace), body, content_type="application/merge-patch+json")
    await pass_time(int(RENEW_SECONDS), first)
    assert not first.is_leader


async def test_deleted_lease_is_created_again(
    control_plane: Cluster, namespace: str, make_candidate: MakeCandidate
) -> None:
    """A Lease that somebody deleted is created again by its leader."""
    first = await make_candidate("first")
    await first.lease.step()
    control_plane.request("DELETE", lease_path(namespace))
    await pass_time(int(RENEW_SECONDS), first)
    assert (first.is_leader, first.lease.term) == (True, 1)
    assert lease_spec(control_plane, namespace)["holderIdentity"] == "first"


async def test_lease_needs_few_requests_and_only_the_granted_verbs(
    control_plane: Cluster, make_candidate: MakeCandidate, user: User
) -> None:
    """Exactly the granted verbs are used. A leader sends two requests in 10 s, and other candidates one every 2 s."""
    first, second = await make_candidate("first"), await make_candidate("second")
    await first.lease.step()
    await pass_time(60, first)
    of_leader = [record["verb"] for record in control_plane.audit(user.name)]
    assert len(of_leader) <= 2 + 2 * 6
    await pass_time(20, second)
    verbs = [record["verb"] for record in control_plane.audit(user.name)]
    assert verbs.count("get") - of_leader.count("get") <= 11
    assert set(verbs) == {"get", "create", "update"} == {verb for rule in LEASE_RULES for verb in rule["verbs"]}


async def test_leases_of_two_releases_are_independent(control_plane: Cluster, namespace: str) -> None:
    """Two releases in one namespace each have their own Lease and their own leader."""
    any_lease = [{name: value for name, value in rule.items() if name != "resourceNames"} for rule in LEASE_RULES]
    api = await connect(control_plane.user(namespace, "both", any_lease))
    clock = ManualClock()
    leases = [Lease(api, clock, "candidate", name) for name in ("blue-scheduler", "green-scheduler")]
    for lease in leases:
        await lease.step()
    await api.aclose()
    assert [lease.is_leader for lease in leases] == [True, True]


async def test_lease_of_another_controller_is_forbidden(make_candidate: MakeCandidate) -> None:
    """The shipped rights do not permit a scheduler to take another controller's Lease."""
    own, foreign = await make_candidate("own"), await make_candidate("thief", lease="some-controller")
    with capture_logs() as lines:
        await pass_time(5, own, foreign)
    assert (own.is_leader, foreign.is_leader) == (True, False)
    assert any("some-controller" in line.get("error", "") for line in lines)


async def test_lease_without_rights_logs_once(control_plane: Cluster, namespace: str) -> None:
    """A candidate without rights logs once what is missing, and is not the leader."""
    user = control_plane.user(namespace, "nobody")
    clock = ManualClock()
    api = await connect(user)
    lease = Lease(api, clock, "nobody", NAME)
    with capture_logs() as lines:
        await pass_time(150, Candidate(lease, clock))
    await api.aclose()
    assert not lease.is_leader
    (line,) = lines
    assert "cannot get resource" in line["error"]
    assert "rbac.yaml" in line["error"]
