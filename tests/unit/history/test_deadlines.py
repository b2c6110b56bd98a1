"""The deadline of a redelivery and the limits of the janitor's rounds: both sides of each limit, in whole histories.

A worker dies at 1.5 s with a message. The heartbeat timeout is 10 s, the interval of the janitor 1 s, and the slack for
a busy machine 10 s, so the message must be back at 22.5 s.
"""

from typing import Any

import pytest

from history.checker import Verdict, check
from history.events import parse

DEADLINE = 22.5
_STATE: dict[str, Any] = {
    "left": {},
    "letters": {},
    "listed": [],
    "records": {"m1": ["succeeded", 1]},
    "stats": {"quick": {"succeeded": 1, "attempts": 1}},
    "running": {},
}

Rounds = list[tuple[float, float]]


def rounds(*times: float, until: float = 100.0, seconds: float = 0.0, pause: float = 1.0) -> Rounds:
    """Return the begins and ends of rounds.

    Args:
        times: Begins and ends of the first rounds in turn.
        until: Time until which short rounds follow.
        seconds: Duration of these.
        pause: Seconds between them.
    """
    found = list(zip(times[::2], times[1::2], strict=True)) or [(0.5, 0.5 + seconds)]
    while (begin := found[-1][1] + pause) < until:
        found.append((begin, begin + seconds))
    return found


def before(begin: float) -> tuple[float, ...]:
    """Return short rounds with the right pause for `rounds`, the last of which ends one second before a time."""
    ends = [begin - number for number in range(int(begin), 0, -1)]
    return tuple(time for end in ends for time in (end, end))


def judge(returned: float, found: Rounds | None, more: str = "", *, end: float = 100.0) -> Verdict:
    """Check a history in which the message comes back at a time.

    Args:
        returned: When another worker fetches the message. It found the queue empty until then.
        found: Rounds of the janitor, or None if no process has one.
        more: More events.
        end: End of the history.
    """
    lines = [
        "0.6 worker-2.2 fetched queue=history called=0.6 ids=",
        "1.0 producer-1.9 send delivery=d1 message=m1 task=quick queue=history attempt=1 parent=-",
        "1.1 producer-1.9 sent delivery=d1",
        "1.2 worker-1.1 fetched queue=history called=1.1 ids=d1",
        "1.3 worker-1.1 start delivery=d1 message=m1 attempt=1",
        "1.5 controller.5 died target=worker-1 since=1.5 by=SIGKILL",
        f"{returned - 0.001} worker-2.2 empty queue=history called={returned}",
        f"{returned + 0.1} worker-2.2 fetched queue=history called={returned} ids=d1",
        f"{returned + 0.2} worker-2.2 start delivery=d1 message=m1 attempt=1",
        f"{returned + 0.3} worker-2.2 end delivery=d1 result=ok",
        f"{returned + 0.4} worker-2.2 ack delivery=d1",
        f"{returned + 0.5} worker-2.2 acked delivery=d1",
        f"{end} controller.5 died target=worker-2 since={end} by=SIGTERM",
        *more.splitlines(),
    ]
    if found is not None:
        lines.append("0.1 scheduler-1.8 janitor")
        lines.append(f"{end} controller.5 died target=scheduler-1 since={end} by=SIGTERM")
    for begin, until in found or ():
        lines.append(f"{begin} scheduler-1.8 round_begins")
        lines.append(f"{until} scheduler-1.8 round_ends result=ok")
    events = [parse(line) for line in lines]
    return check(sorted(events, key=lambda event: event.at), _STATE)


@pytest.mark.parametrize("found", [rounds(), None], ids=["a round each second", "no janitor"])
def test_redelivery_is_accepted_until_its_deadline_and_refused_after_it(found: Rounds | None) -> None:
    """The deadline counts from the death, whatever the janitor does."""
    assert judge(DEADLINE - 0.1, found).violations == []
    assert judge(DEADLINE + 0.1, found).rules() == {"late redelivery"}


def test_janitor_that_works_each_minute_extends_no_deadline() -> None:
    """Its first round after the timeout takes the message back, but begins too late."""
    verdict = judge(70.2, rounds(pause=60.0, seconds=0.1, until=75.0), end=80.0)
    assert verdict.rules() == {"late redelivery", "late round"}


def test_round_that_begins_before_the_deadline_extends_it_by_its_duration() -> None:
    """On a busy machine, a round takes long. Here it begins 11 s before the deadline and takes 15 s."""
    slow = rounds(*before(11.5), 11.5, 26.5)
    assert judge(DEADLINE + 15 - 0.1, slow).violations == []
    assert judge(DEADLINE + 15 + 0.1, slow).rules() == {"late redelivery"}


def test_only_the_first_round_after_the_timeout_extends_the_deadline() -> None:
    """Each further round had its chance already, so a janitor whose rounds are all slow gets the time of one."""
    slow = rounds(*before(11.5), seconds=5.0)
    assert judge(DEADLINE + 5 - 0.1, slow).violations == []
    assert judge(DEADLINE + 5 + 0.1, slow).rules() == {"late redelivery"}


def test_round_that_is_in_progress_at_the_timeout_extends_the_deadline_by_its_rest() -> None:
    """It read the heartbeats before the worker counted as dead, and the next round begins after it."""
    slow = rounds(*before(11.0), 11.0, 20.0)
    assert judge(DEADLINE + 8.5 - 0.1, slow).violations == []
    assert judge(DEADLINE + 8.5 + 0.1, slow).rules() == {"late redelivery"}


def test_round_that_begins_after_the_deadline_extends_nothing() -> None:
    """Its duration does not excuse its late begin."""
    late = rounds(*before(11.4), DEADLINE + 0.1, DEADLINE + 9)
    assert "late redelivery" in judge(DEADLINE + 9.1, late).rules()


def test_round_of_a_janitor_that_has_just_started_extends_nothing() -> None:
    """It takes nothing back for ten seconds."""
    started = rounds(5.0, 5.0, 6.0, 6.0, 12.0, 14.9)
    assert judge(DEADLINE + 2.8, started).rules() == {"late redelivery"}


@pytest.mark.parametrize("begin", [30.0, 99.0], ids=["in the middle", "at the end"])
def test_pause_of_a_janitor_is_accepted_until_its_limit_and_refused_after_it(begin: float) -> None:
    """The limit counts from the end of the round before, also for a janitor that begins no round any more."""
    for pause, rules in ((10.9, set[str]()), (11.1, {"late round"})):
        ended = begin - pause
        further = rounds(*before(ended + 1), begin, begin) if begin < 99 else rounds(*before(ended + 1), until=0)
        assert judge(13.0, further, end=100.0 if begin < 99 else begin).rules() == rules


def test_median_of_the_pauses_of_a_janitor_is_accepted_until_its_limit_and_refused_after_it() -> None:
    """A busy machine delays some rounds, but an interval that is twice as long delays all of them."""
    assert judge(13.0, rounds(pause=1.9)).violations == []
    assert judge(13.0, rounds(pause=2.1)).rules() == {"late round"}
    assert judge(13.0, [*rounds(until=8.0), *rounds(9.0, 9.0, pause=9.0, until=60.0)], end=60.0).violations == []


def test_janitor_that_never_begins_a_round_is_refused() -> None:
    """The limit of its first round counts from its construction."""
    assert judge(13.0, [], end=14.0).rules() == {"late round"}
    assert judge(13.0, [], "14.0 controller.5 died target=scheduler-1 since=11.0 by=SIGKILL").violations == []


def test_only_a_stop_of_its_process_extends_the_pause_of_a_janitor() -> None:
    """While Redis is unavailable, or its node is cut off, it begins rounds that fail."""
    paused = rounds(*before(31.0), 50.0, 50.0)
    assert judge(13.0, paused, "30.5 controller.5 cut target=scheduler-1 until=49.5 kind=SIGSTOP").violations == []
    for fault in ("outage", "cut target=scheduler-1"):
        assert judge(13.0, paused, f"30.5 controller.5 {fault} until=49.5 kind=partition").rules() == {"late round"}


def test_round_is_accepted_until_its_longest_time_and_refused_after_it() -> None:
    """A janitor whose round takes minutes has begun it in time, but takes nothing back."""
    assert judge(13.0, rounds(*before(30.0), 30.0, 49.9)).violations == []
    assert judge(13.0, rounds(*before(30.0), 30.0, 50.1)).rules() == {"late round"}
    assert judge(13.0, [*rounds(until=30.0), (30.9, 100.1)]).rules() == {"late round"}


@pytest.mark.parametrize("fault", ["outage", "cut target=scheduler-1"])
def test_fault_of_its_connection_extends_a_round_until_the_timeout_of_a_command(fault: str) -> None:
    """A command that waits when the fault ends has a timeout of five seconds."""
    more = f"31.0 controller.5 {fault} until=41.0 kind=partition"
    assert judge(13.0, rounds(*before(30.0), 30.0, 64.9), more).violations == []
    assert judge(13.0, rounds(*before(30.0), 30.0, 65.1), more).rules() == {"late round"}


def test_outage_extends_the_deadline_until_the_janitor_may_reclaim_again() -> None:
    """These are the timeout of a command, the interval, and ten seconds in which a janitor takes nothing back."""
    more = "2.0 controller.5 outage until=8.0 kind=hang"
    assert judge(DEADLINE + 22 - 0.1, rounds(), more).violations == []
    assert judge(DEADLINE + 22 + 0.1, rounds(), more).rules() == {"late redelivery"}


def test_time_without_a_janitor_extends_the_deadline() -> None:
    """It lasts from the death of the only scheduler until ten seconds after the next one has built its janitor."""
    more = "11.0 controller.5 died target=scheduler-1 since=11.0 by=SIGKILL\n12.0 scheduler-1.9 janitor\n"
    for begin in range(12, 100):
        more += f"{begin}.1 scheduler-1.9 round_begins\n{begin}.1 scheduler-1.9 round_ends result=ok\n"
    assert judge(DEADLINE + 11 - 0.1, rounds(until=11.0), more).violations == []
    assert judge(DEADLINE + 11 + 0.1, rounds(until=11.0), more).rules() == {"late redelivery"}


def test_time_in_which_the_only_janitor_is_cut_off_extends_the_deadline() -> None:
    """Afterwards it counts as after an outage. A slow link cuts nothing off."""
    more = "11.0 controller.5 cut target=scheduler-1 until=13.0 kind=partition"
    assert judge(DEADLINE + 18 - 0.1, rounds(), more).violations == []
    assert judge(DEADLINE + 18 + 0.1, rounds(), more).rules() == {"late redelivery"}
    assert judge(DEADLINE + 0.1, rounds(), more.replace("partition", "slow")).rules() == {"late redelivery"}


#: A worker that has fetched nothing, as far as the history shows, and dies at 13 s.
_DIES_LATER = (
    "0.7 worker-3.3 fetched queue=history called=0.7 ids=\n13.0 controller.5 died target=worker-3 since=13.0 by=SIGKILL"
)


def test_later_death_moves_the_deadline_if_the_message_may_have_been_back() -> None:
    """The worker may have fetched it and died before it could record this, but only after a round of the janitor."""
    until = 13.0 + 21.0
    assert judge(until - 0.1, rounds(), _DIES_LATER).violations == []
    assert judge(until + 0.1, rounds(), _DIES_LATER).rules() == {"late redelivery"}
    none = rounds(*before(11.0), 13.5, 13.5)
    assert judge(DEADLINE + 0.1, none, _DIES_LATER).rules() == {"late redelivery"}
