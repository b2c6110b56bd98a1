"""The monitor is right: the final record of each run, and the counters of each task, agree with the history."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from history.checker.index import Delivery, Index
from history.checker.verdict import Promises, Verdict

#: Number of ended runs of a task whose records are kept.
RUNS_KEPT = 10_080
_NAMES = ("succeeded", "retried", "dead_lettered", "skipped", "attempts")
_STATES = {"succeeded": "succeeded", "dead_lettered": "dead-lettered", "skipped": "skipped"}


class _Range:
    """The least and the greatest number that is right."""

    def __init__(self) -> None:
        self.least = self.most = 0

    def add(self, *, certain: bool, most: int = 1) -> None:
        """Add something that is counted once if it is certain, and otherwise 0 to `most` times."""
        self.least += int(certain)
        self.most += most


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check counters and run records."""
    by_message: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in found.deliveries.values():
        if not delivery.is_delayed and delivery.exists:
            by_message[delivery.message].append(delivery)
    ranges: dict[str, dict[str, _Range]] = defaultdict(lambda: defaultdict(_Range))
    messages_of_task: dict[str, int] = defaultdict(int)
    for deliveries in by_message.values():
        messages_of_task[deliveries[0].task] += 1
    for message, deliveries in by_message.items():
        outcomes = [(delivery, outcome) for delivery in deliveries for outcome in _outcomes(delivery, state)]
        is_plain = len({delivery.attempt for delivery in deliveries}) == len(deliveries) and not any(
            _is_lossy(found, delivery) or _is_over_before_its_end(delivery) for delivery in deliveries
        )
        for delivery, outcome in outcomes:
            _add(ranges[delivery.task], delivery, outcome, certain=is_plain)
        if is_plain and messages_of_task[deliveries[0].task] < RUNS_KEPT:
            _check_record(message, outcomes, state, verdict)
    for task in {*ranges, *state["stats"]}:
        counted = state["stats"].get(task, {})
        for name in _NAMES:
            expected, value = ranges[task][name], counted.get(name, 0)
            if not expected.least <= value <= expected.most:
                text = f"{name} is {value}, the history has {expected.least} to {expected.most}"
                verdict.violate("counter", task, text)


def _is_lossy(found: Index, delivery: Delivery) -> bool:
    spans = [*delivery.sends, *delivery.runs, *delivery.ends, *delivery.fetches]
    return found.loss(*(time for span in spans for time in (span.begin, span.end))) is not None


def _is_over_before_its_end(delivery: Delivery) -> bool:
    """Whether a message was given up after a success, whose workers died before they could enqueue its callback.

    A success that is recorded stays, because its task has run.
    """
    return bool(delivery.nacks) and any(run.result == "ok" for run in delivery.runs)


def _outcomes(delivery: Delivery, state: Mapping[str, Any]) -> list[str]:
    """Return how a delivery has ended, with all possibilities."""
    ended = _outcome(delivery, state)
    return [*([ended] if ended else []), *(["succeeded"] if _is_over_before_its_end(delivery) else [])]


def _outcome(delivery: Delivery, state: Mapping[str, Any]) -> str:
    """Return how a delivery ended, or nothing if it has not."""
    if delivery.id in state["letters"] or (delivery.nacks and not delivery.acks):
        return "dead_lettered"
    if not delivery.acks:
        return ""
    if any(run.result == "ok" for run in delivery.runs):
        return "succeeded"
    return "skipped" if delivery.skips else "retried"


def _add(ranges: Mapping[str, _Range], delivery: Delivery, outcome: str, *, certain: bool) -> None:
    # Without a certain order of a message's events, one of them may be ignored, or counted again after a failover.
    most = 1 if certain else 1 + len(delivery.runs) + len(delivery.skips)
    ranges[outcome].add(certain=certain, most=most)
    if outcome != "skipped":
        # The end of an interrupted run counts as an attempt too, but a worker that exits may not write it.
        # An interrupt between two lines of the test's task leaves the end out, but the worker gives the message back.
        given_back = {span.process for span in delivery.requeues}
        interrupted = sum(
            run.result == "interrupted" or (not run.result and run.process in given_back) for run in delivery.runs
        )
        ranges["attempts"].add(certain=certain, most=most + interrupted)


def _check_record(
    message: str, outcomes: list[tuple[Delivery, str]], state: Mapping[str, Any], verdict: Verdict
) -> None:
    final = [(delivery, _STATES[outcome]) for delivery, outcome in outcomes if outcome in _STATES]
    if len(final) != 1:
        return  # what is lost or doubled is reported by the other rules
    delivery, wanted = final[0]
    record = state["records"].get(message)
    if record is None or record[0] != wanted or (wanted != "skipped" and record[1] != delivery.attempt):
        text = f"the record says {record}, the history says {wanted} with attempt {delivery.attempt}"
        verdict.violate("record", message, text)
