"""The checker of histories accepts what is promised, and refuses each kind of broken promise."""

import re
from copy import deepcopy
from typing import Any

import pytest

from history.checker import Verdict, check
from history.events import Event, parse

#: A message that one worker runs, and a message that fails four times and becomes a dead letter.
GOOD = """
0.5 worker-1.1 fetched queue=history called=0.4 ids=
1.0 producer-1.9 send delivery=d1 message=m1 task=quick queue=history attempt=1 parent=-
1.1 producer-1.9 sent delivery=d1
1.2 worker-1.1 fetched queue=history called=1.1 ids=d1
1.3 worker-1.1 start delivery=d1 message=m1 attempt=1
1.4 worker-1.1 end delivery=d1 result=ok
1.5 worker-1.1 ack delivery=d1
1.6 worker-1.1 acked delivery=d1
1.7 worker-1.1 fetched queue=history called=1.7 ids=
20.0 controller.5 died target=worker-1 since=19.0 by=SIGTERM
"""
STATE: dict[str, Any] = {
    "left": {},
    "letters": {},
    "listed": [],
    "records": {"m1": ["succeeded", 1]},
    "stats": {"quick": {"succeeded": 1, "attempts": 1}},
    "running": {"quick": 0},
}
#: The worker dies with the message, and the janitor gives it to another one.
REDELIVERED = """
0.6 worker-2.2 fetched queue=history called=0.6 ids=
1.0 producer-1.9 send delivery=d1 message=m1 task=quick queue=history attempt=1 parent=-
1.1 producer-1.9 sent delivery=d1
1.2 worker-1.1 fetched queue=history called=1.1 ids=d1
1.3 worker-1.1 start delivery=d1 message=m1 attempt=1
1.5 controller.5 died target=worker-1 since=1.4 by=SIGKILL
12.05 worker-2.2 empty queue=history called=12.0
12.2 worker-2.2 fetched queue=history called=12.1 ids=d1
12.3 worker-2.2 start delivery=d1 message=m1 attempt=1
12.4 worker-2.2 end delivery=d1 result=ok
12.5 worker-2.2 ack delivery=d1
12.6 worker-2.2 acked delivery=d1
20.0 controller.5 died target=worker-2 since=19.0 by=SIGTERM
"""

#: The same, but too late.
LATE = re.sub(r"\b12\.", "38.", REDELIVERED).replace("20.0", "60.0").replace("19.0", "59.0")


def events(text: str) -> list[Event]:
    """Return the events of a history, in order of their times."""
    return sorted((parse(line) for line in text.splitlines() if line), key=lambda event: event.at)


def judge(text: str, **changes: Any) -> Verdict:
    """Check a history whose final state is `STATE` with some changes."""
    return check(events(text), deepcopy(STATE) | changes)


def without(text: str, part: str) -> str:
    """Return a history without the lines that contain a text."""
    lines = [line for line in text.strip().splitlines() if part not in line]
    assert lines != text.strip().splitlines()
    return "\n".join([*lines, ""])


def failing(attempts: int) -> str:
    """Return the history of a message whose attempts all fail; the last one is dead-lettered as `q<attempts>`."""
    lines = ["0.1 worker-1.1 fetched queue=history called=0.1 ids="]
    process, parent = "producer-1.9", "-"
    for number in range(1, attempts + 1):
        at, d, q = float(number), f"d{number}", f"q{number}"
        facts = f"message=m1 task=doomed attempt={number}"
        if number > 1:
            lines += [
                f"{at} {process} send delivery={d} {facts} queue=history.DQ parent={parent}",
                f"{at + 0.05} {process} sent delivery={d}",
                f"{at + 0.08} worker-1.1 ack delivery={parent}",
                f"{at + 0.09} worker-1.1 acked delivery={parent}",
                f"{at + 0.1} worker-1.1 fetched queue=history.DQ called={at + 0.1} ids={d}",
                f"{at + 0.2} worker-1.1 send delivery={q} {facts} queue=history parent={d}",
                f"{at + 0.25} worker-1.1 sent delivery={q}",
                f"{at + 0.3} worker-1.1 ack delivery={d}",
                f"{at + 0.35} worker-1.1 acked delivery={d}",
            ]
        else:
            lines += [
                f"{at} {process} send delivery={q} {facts} queue=history parent=-",
                f"{at + 0.25} {process} sent delivery={q}",
            ]
        lines += [
            f"{at + 0.4} worker-1.1 fetched queue=history called={at + 0.4} ids={q}",
            f"{at + 0.5} worker-1.1 start delivery={q} message=m1 attempt={number}",
            f"{at + 0.6} worker-1.1 end delivery={q} result=error",
        ]
        process, parent = "worker-1.1", q
    last = attempts + 0.7
    lines += [f"{last} worker-1.1 nack delivery={parent}", f"{last + 0.1} worker-1.1 nacked delivery={parent}"]
    lines.append("20.0 controller.5 died target=worker-1 since=19.0 by=SIGTERM")
    return "\n".join(lines)


DOOMED: dict[str, Any] = {
    "letters": {"q4": {"message": "m1", "task": "doomed", "reason": "retries-exhausted", "failures": 4}},
    "listed": ["q4"],
    "records": {"m1": ["dead-lettered", 4]},
    "stats": {"doomed": {"retried": 3, "dead_lettered": 1, "attempts": 4}},
    "running": {},
}


@pytest.mark.parametrize(
    ("text", "changes"),
    [(GOOD, {}), (REDELIVERED, {}), (failing(4), DOOMED)],
    ids=["run", "redelivered after a death", "dead-lettered"],
)
def test_history_that_keeps_all_promises_is_accepted(text: str, changes: dict[str, Any]) -> None:
    """A run, a redelivery after a death, and four failed attempts break no promise."""
    assert judge(text, **changes).violations == []


@pytest.mark.parametrize(("sent", "rules"), [(-0.8, set()), (0.5, {"skipped early"})], ids=["too old", "young"])
def test_message_may_be_skipped_only_if_it_is_too_old(sent: float, rules: set[str]) -> None:
    """The age limit of the task is two seconds, and one is for the time between creation and enqueue."""
    text = without(GOOD, " end ").replace("1.3 worker-1.1 start", "1.3 worker-1.1 skip")
    text = text.replace("task=quick", "task=short_lived").replace("1.0 producer-1.9 send", f"{sent} producer-1.9 send")
    stats = {"short_lived": {"skipped": 1}}
    assert judge(text, records={"m1": ["skipped", 1]}, stats=stats).rules() == rules


def test_message_that_is_refused_because_it_killed_too_many_workers_may_be_young() -> None:
    """It is skipped too, but then dead-lettered. An acknowledgment without a reply may have begun before."""
    text = killing("runs", "runs", "runs", "runs").replace(
        "50.3 worker-5", "50.25 worker-5.1 skip delivery=d1\n50.3 worker-5"
    )
    text = text.replace("2.4 worker-1.1 dies", "2.35 worker-1.1 ack delivery=d1\n2.4 worker-1.1 dies")
    assert text.count(" skip ") == text.count(" ack ") == 1
    assert judge(text, **KILLED).violations == []


AGAIN = """
2.2 worker-2.2 fetched queue=history called=2.1 ids=d1
2.3 worker-2.2 start delivery=d1 message=m1 attempt=1
2.4 worker-2.2 end delivery=d1 result=ok
2.5 worker-2.2 ack delivery=d1
2.6 worker-2.2 acked delivery=d1
"""
#: What is wrong → the rule that must refuse it, the history, and the changes of the final state.
BAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "confirmed enqueue that nobody fetched": (
        "lost",
        without(GOOD.replace("called=1.1 ids=d1", "called=1.1 ids="), "worker-1.1 start")
        .replace("1.4 worker-1.1 end delivery=d1 result=ok\n", "")
        .replace("1.5 worker-1.1 ack delivery=d1\n1.6 worker-1.1 acked delivery=d1\n", ""),
        {"records": {}, "stats": {}},
    ),
    "message that died with its worker": (
        "lost",
        "\n".join(REDELIVERED.strip().splitlines()[:5]),
        {"records": {}, "stats": {}},
    ),
    "message acknowledged without a run": (
        "lost",
        without(without(GOOD, " start "), " end "),
        {"records": {}, "stats": {}},
    ),
    "failed run without a retry": ("lost", GOOD.replace("result=ok", "result=error"), {"stats": {}}),
    "retry that was not confirmed before the acknowledgment, and nobody got": (
        "lost",
        GOOD.replace("result=ok", "result=error").replace(
            "1.5 worker-1.1 ack",
            "1.45 worker-1.1 send delivery=d2 message=m1 task=quick queue=history.DQ attempt=2 parent=d1\n"
            "1.46 worker-1.1 unsent delivery=d2\n1.5 worker-1.1 ack",
        ),
        {"stats": {}},
    ),
    "success without its callback": (
        "lost",
        GOOD.replace("task=quick", "task=chained"),
        {"stats": {"chained": {"succeeded": 1, "attempts": 1}}},
    ),
    "run after the acknowledgment": ("run after the end", GOOD + AGAIN, {}),
    "run after the acknowledgment, although the worker died later": (
        "run after the end",
        GOOD.replace(
            "20.0 controller.5 died target=worker-1 since=19.0", "2.0 controller.5 died target=worker-1 since=1.9"
        )
        + AGAIN,
        {},
    ),
    "message without an age limit that is skipped": (
        "skipped early",
        without(GOOD, " end ").replace("1.3 worker-1.1 start", "1.3 worker-1.1 skip"),
        {"records": {}, "stats": {}},
    ),
    "two runs at once on healthy workers": (
        "run twice",
        without(GOOD, "acked").replace("1.5 worker-1.1 ack", "3.5 worker-1.1 ack") + AGAIN,
        {},
    ),
    "run again while the first worker is cut off for less than the timeout": (
        "run twice",
        without(GOOD, "acked").replace("1.5 worker-1.1 ack", "9.5 worker-1.1 ack")
        + "1.35 controller.5 cut target=worker-1 until=8.0 kind=partition\n"
        + "9.0 worker-1.1 fetched queue=history called=8.9 ids=\n"
        + AGAIN.replace("2.", "8.5"),
        {},
    ),
    "run again because a worker without any fault sent no heartbeats": (
        "run twice",
        without(GOOD, "acked").replace("1.5 worker-1.1 ack", "18.5 worker-1.1 ack") + AGAIN.replace("2.", "15."),
        {},
    ),
    "run again because of an outage of Redis": (
        "run twice",
        without(GOOD, "acked").replace("1.5 worker-1.1 ack", "18.5 worker-1.1 ack")
        + "1.35 controller.5 outage until=14.0 kind=hang\n"
        + AGAIN.replace("2.", "15."),
        {},
    ),
    "two retries of one run": (
        "doubled retry",
        failing(4) + "\n2.01 worker-1.1 send delivery=x message=m1 task=doomed attempt=2 queue=history.DQ parent=q1\n"
        "2.02 worker-1.1 sent delivery=x",
        DOOMED,
    ),
    "delayed message that is moved twice": (
        "doubled move",
        failing(4) + "\n2.27 worker-1.1 send delivery=x message=m1 task=doomed attempt=2 queue=history parent=d2\n"
        "2.28 worker-1.1 sent delivery=x",
        DOOMED,
    ),
    "one attempt too many": ("attempts", failing(5), DOOMED),
    "attempt that is left out": ("attempts", failing(4).replace("attempt=4", "attempt=5"), DOOMED),
    "dead letter after too few attempts": (
        "dead letter",
        failing(3),
        DOOMED
        | {
            "letters": {"q3": {"message": "m1", "task": "doomed", "reason": "retries-exhausted", "failures": 3}},
            "listed": ["q3"],
        },
    ),
    "dead letter without its history": (
        "dead letter",
        failing(4),
        DOOMED | {"letters": {"q4": DOOMED["letters"]["q4"] | {"failures": 1}}},
    ),
    "dead letter that does not exist": ("dead letter", failing(4), DOOMED | {"letters": {}, "listed": []}),
    "dead letter that is not listed": ("dead letter", failing(4), DOOMED | {"listed": []}),
    "dead letter of a message that no worker gave up": (
        "dead letter",
        GOOD,
        {
            "letters": {"d1": {"message": "m1", "task": "quick", "reason": "kills-worker", "failures": 0}},
            "listed": ["d1"],
        },
    ),
    "dead letter of a message that killed no worker": (
        "dead letter",
        without(GOOD, " ack").replace("1.6 worker-1.1 acked", "1.6 worker-1.1 nack"),
        {
            "letters": {"d1": {"message": "m1", "task": "quick", "reason": "kills-worker", "failures": 0}},
            "listed": ["d1"],
        },
    ),
    "message that killed too many workers": (
        "attempts",
        "1.0 producer-1.9 send delivery=d1 message=m1 task=killer queue=history attempt=1 parent=-\n"
        "1.1 producer-1.9 sent delivery=d1\n"
        + "\n".join(
            f"{at}.2 worker-{n}.1 fetched queue=history called={at}.1 ids=d1\n"
            f"{at}.3 worker-{n}.1 start delivery=d1 message=m1 attempt=1\n{at}.4 worker-{n}.1 dies"
            for n, at in enumerate(range(2, 80, 12), start=1)
        ),
        {},
    ),
    "redelivery that is late": (
        "late redelivery",
        LATE,
        {},
    ),
    "message that is left": ("left", GOOD, {"left": {"dramatiq:history.msgs": 1}}),
    "run that counts as running": ("left", GOOD, {"running": {"quick": 1}}),
    "run that is counted twice": ("counter", GOOD, {"stats": {"quick": {"succeeded": 2, "attempts": 2}}}),
    "run that is not counted": ("counter", GOOD, {"stats": {"quick": {"attempts": 1}}}),
    "attempt that is counted twice": ("counter", REDELIVERED, {"stats": {"quick": {"succeeded": 1, "attempts": 2}}}),
    "record with another outcome": ("record", GOOD, {"records": {"m1": ["dead-lettered", 1]}}),
    "record that is missing": ("record", GOOD, {"records": {}}),
    "record with another attempt": ("record", failing(4), DOOMED | {"records": {"m1": ["dead-lettered", 3]}}),
    "run of a message that nobody sent": (
        "phantom",
        GOOD + "1.9 worker-1.1 start delivery=x message=y attempt=1\n",
        {},
    ),
    "worker that was replaced although it had not ended": (
        "death without a cause",
        GOOD + "3.0 worker-1.2 fetched queue=history called=2.9 ids=\n",
        {},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_history_that_breaks_a_promise_is_refused(case: str) -> None:
    """Each history is broken in one way, and the rule for it refuses it."""
    rule, text, changes = BAD[case]
    assert rule in judge(text, **changes).rules()


def killing(*steps: str) -> str:
    """Return the history of a message that kills workers, one every 12 s from second 2, and the next one gives it up.

    Args:
        steps: What each worker does before its end: `runs` it, or ends `unrecorded` with the reply to its fetch.
    """
    lines = [
        "1.0 producer-1.9 send delivery=d1 message=m1 task=killer queue=history attempt=1 parent=-",
        "1.1 producer-1.9 sent delivery=d1",
    ]
    for n, step in enumerate(steps, start=1):
        at = 12 * n - 10
        lines.append(f"{at}.0 worker-{n}.1 fetched queue=history called={at}.0 ids=")
        if step == "runs":
            lines += [
                f"{at}.2 worker-{n}.1 fetched queue=history called={at}.1 ids=d1",
                f"{at}.3 worker-{n}.1 start delivery=d1 message=m1 attempt=1",
                f"{at}.4 worker-{n}.1 dies",
            ]
        lines.append(f"{at}.6 controller.5 died target=worker-{n} since={at}.5 by=itself")
    n, at = len(steps) + 1, 12 * len(steps) + 2
    lines += [
        f"{at}.2 worker-{n}.1 fetched queue=history called={at}.1 ids=d1",
        f"{at}.3 worker-{n}.1 nack delivery=d1",
        f"{at}.4 worker-{n}.1 nacked delivery=d1",
        f"99.0 controller.5 died target=worker-{n} since=98.0 by=SIGTERM",
    ]
    return "\n".join(lines)


KILLED: dict[str, Any] = {
    "letters": {"d1": {"message": "m1", "task": "killer", "reason": "kills-worker", "failures": 0}},
    "listed": ["d1"],
    "records": {"m1": ["dead-lettered", 1]},
    "stats": {"killer": {"dead_lettered": 1, "attempts": 1}},
    "running": {},
}


@pytest.mark.parametrize("number", range(5), ids=lambda number: f"unrecorded {number}" if number else "all recorded")
def test_dead_letter_of_a_message_that_killed_four_workers_is_accepted(number: int) -> None:
    """Each of the workers may have died before it could record its fetch, also the first one."""
    steps = ["unrecorded" if n == number else "runs" for n in range(1, 5)]
    assert judge(killing(*steps), **KILLED).violations == []


def test_record_of_a_success_whose_message_is_given_up_later_may_stay() -> None:
    """Each worker may die between the record of a success and the enqueue of its callback. The task has run."""
    text = killing("runs", "runs", "runs", "runs").replace("task=killer", "task=chained")
    text = text.replace("14.4 worker-2.1 dies", "14.35 worker-2.1 end delivery=d1 result=ok\n14.4 worker-2.1 dies")
    succeeded = {"records": {"m1": ["succeeded", 1]}, "stats": {"chained": {"succeeded": 1, "attempts": 1}}}
    dead = {"stats": {"chained": {"dead_lettered": 1, "attempts": 1}}}
    assert judge(text, **KILLED | succeeded).violations == []
    assert judge(text, **KILLED | dead).violations == []
    none = {"stats": {"chained": {"dead_lettered": 2, "succeeded": 9, "attempts": 9}}}
    assert judge(text, **KILLED | none).rules() == {"counter"}


def test_worker_that_dies_before_its_first_record_may_have_lost_a_message() -> None:
    """A worker can die during its first fetch. Only the record of its death shows that it existed."""
    text = killing("runs", "unrecorded", "runs", "runs") + "\n0.1 worker-2.0 fetched queue=history called=0.1 ids="
    text = text.replace("14.0 worker-2.1 fetched queue=history called=14.0 ids=\n", "")
    assert judge(text + "\n0.3 controller.5 died target=worker-2 since=0.2 by=itself", **KILLED).violations == []


def test_worker_that_was_silent_and_died_later_may_have_lost_a_message_twice() -> None:
    """A worker that counted as dead gets the message again when it continues, and dies with it."""
    text = killing("runs", "runs", "runs", "runs").replace("worker-2.1", "worker-1.1")
    text = without(without(text, "2.4 worker-1.1 dies"), "died target=worker-1")
    text = text.replace("14.6 controller.5 died target=worker-2", "14.6 controller.5 died target=worker-1")
    assert judge(text + "2.5 controller.5 cut target=worker-1 until=13.5 kind=SIGSTOP", **KILLED).violations == []


def test_death_of_a_scheduler_counts_as_no_loss_of_a_message() -> None:
    """Only a worker can lose a message, so these deaths explain no dead letter."""
    others = "".join(
        f"2.0 scheduler-{n}.1 janitor\n10.0 controller.5 died target=scheduler-{n} since=9.0 by=SIGKILL\n"
        for n in (1, 2)
    )
    text = killing("runs", "runs", "runs").replace("38.", "48.")  # the time would allow for a fourth loss
    assert judge(f"{text}\n{others}", **KILLED).rules() == {"dead letter"}


@pytest.mark.parametrize("steps", [("runs",), ("runs", "runs", "runs")], ids=len)
def test_dead_letter_of_a_message_that_killed_fewer_workers_is_refused(steps: tuple[str, ...]) -> None:
    """A message may kill as many workers as the limit says, and no janitor may count one of them twice."""
    assert judge(killing(*steps), **KILLED).rules() == {"dead letter"}


def test_dead_letter_after_less_time_than_its_losses_take_is_refused() -> None:
    """A worker counts as dead after the heartbeat timeout, so four losses take at least four times as long."""
    text = killing("runs", "runs", "runs", "runs")
    halved = re.sub(r"(?m)^[\d.]+|(?<=called=)[\d.]+|(?<=since=)[\d.]+", lambda at: f"{float(at[0]) / 2:.2f}", text)
    assert judge(halved, **KILLED).rules() == {"dead letter"}


LOSSY = "1.0 controller.5 lossy begin={begin} end={end} reason=replication\n"


@pytest.mark.parametrize(
    "case", ["confirmed enqueue that nobody fetched", "run after the acknowledgment", "dead letter that does not exist"]
)
def test_loss_by_design_is_excused_and_counted(case: str) -> None:
    """What Redis confirmed shortly before a failover may be lost, and the verdict says how often."""
    _, text, changes = BAD[case]
    verdict = judge(text + "\n" + LOSSY.format(begin=0.5, end=5.0), **changes)
    assert not verdict.rules() & {"lost", "run after the end", "dead letter"}
    assert verdict.excused.total() >= 1


@pytest.mark.parametrize("case", ["confirmed enqueue that nobody fetched", "run after the acknowledgment"])
def test_loss_outside_of_the_window_is_refused(case: str) -> None:
    """A failover excuses nothing that Redis confirmed long before it or after it."""
    rule, text, changes = BAD[case]
    verdict = judge(text + "\n" + LOSSY.format(begin=5.0, end=9.0), **changes)
    assert rule in verdict.rules()


def test_run_again_after_the_timeout_of_a_cut_off_worker_is_accepted() -> None:
    """A worker that is cut off for longer than the heartbeat timeout counts as dead, and its message runs again."""
    text = (
        without(GOOD, "acked").replace("1.5 worker-1.1 ack", "18.5 worker-1.1 ack")
        + "1.35 controller.5 cut target=worker-1 until=18.0 kind=partition\n"
        + AGAIN.replace("2.", "15.")
        + "30.0 controller.5 died target=worker-2 since=29.0 by=SIGTERM\n"
    )
    verdict = judge(text)
    assert verdict.violations == []
    assert verdict.counts["redelivered runs"] == 1


def test_run_again_on_the_worker_that_had_lost_the_message_is_accepted() -> None:
    """A worker that was cut off, and whose acknowledgment had no effect, may get the same message again."""
    text = (
        GOOD.replace("1.4 worker-1.1 end", "15.4 worker-1.1 end")
        .replace("1.5 worker-1.1 ack", "15.5 worker-1.1 ack")
        .replace("1.6 worker-1.1 acked", "15.6 worker-1.1 acked")
        .replace("1.7 worker-1.1 fetched queue=history called=1.7", "15.7 worker-1.1 fetched queue=history called=15.7")
        + "1.35 controller.5 cut target=worker-1 until=15.0 kind=SIGSTOP\n"
        + AGAIN.replace("worker-2.2", "worker-1.1").replace("2.", "16.")
    )
    assert judge(text).violations == []


def test_run_of_a_worker_that_was_stopped_between_a_fetch_and_its_reply_is_accepted() -> None:
    """Such a worker counts as dead. When it continues, it runs a message that another worker has ended meanwhile."""
    text = GOOD.replace("called=1.1 ids=d1", "called=1.15 ids=d1").replace("20.0", "40.0").replace("19.0", "39.0") + (
        "1.1 worker-2.2 fetched queue=history called=1.1 ids=\n"
        "1.12 controller.5 cut target=worker-2 until=15.0 kind=SIGSTOP\n"
        "15.2 worker-2.2 fetched queue=history called=1.11 ids=d1\n"
        "15.3 worker-2.2 start delivery=d1 message=m1 attempt=1\n"
        "15.4 worker-2.2 end delivery=d1 result=ok\n15.5 worker-2.2 ack delivery=d1\n"
        "15.6 worker-2.2 acked delivery=d1\n"
    )
    late = text.replace("\n1.1 producer", "\n1.05 producer").replace("\n1.2 worker", "\n12.2 worker")
    late = late.replace("called=1.15", "called=12.1")
    for old in ("3", "4", "5", "6"):
        late = late.replace(f"\n1.{old} worker-1.1", f"\n12.{old} worker-1.1")
    assert judge(late).violations == []


def test_time_without_a_live_worker_extends_the_deadline_of_a_redelivery() -> None:
    """A message waits in its queue until a worker has started. One that is cut off does not count."""
    assert judge(LATE).rules() == {"late redelivery"}
    assert judge(LATE + "2.0 controller.5 cut target=worker-2 until=35.0 kind=partition\n").violations == []
    assert judge(without(LATE, "0.6 worker-2.2")).violations == []


def test_message_that_waits_in_a_long_queue_after_its_return_is_accepted() -> None:
    """It goes to the end of the queue. Only what is fetched before it shows when it came back."""
    late = without(LATE, "worker-2.2 empty")
    other = (
        "{at} producer-1.9 send delivery=d2 message=m2 task=slow queue=history attempt=1 parent=-\n"
        "37.9 worker-2.2 fetched queue=history called=37.8 ids=d2\n"
    )
    assert "late redelivery" not in judge(late + other.format(at=5.0)).rules()
    assert "late redelivery" in judge(late + other.format(at=37.0)).rules()


def test_interrupted_attempt_without_a_recorded_end_may_be_counted() -> None:
    """A shutdown that interrupts the test's task at its begin leaves the end out, but the attempt is counted."""
    text = REDELIVERED.replace(
        "1.5 controller.5 died target=worker-1 since=1.4 by=SIGKILL", "1.4 worker-1.1 requeue delivery=d1"
    )
    text += "1.6 controller.5 died target=worker-1 since=1.3 by=SIGTERM\n"
    assert judge(text, stats={"quick": {"succeeded": 1, "attempts": 2}}).violations == []
    assert judge(text, stats={"quick": {"succeeded": 1, "attempts": 3}}).rules() == {"counter"}
