"""Each message that is given up has one dead letter with its reason and all of its failures."""

from collections.abc import Mapping
from typing import Any

from history.checker.index import Delivery, Index
from history.checker.possession import TOLERANCE_SECONDS, times_dead
from history.checker.verdict import Promises, Verdict


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check that each dead letter exists, is listed, is complete, and has a cause."""
    for delivery in found.deliveries.values():
        _check_letter(found, delivery, state, verdict)
    for id, letter in state["letters"].items():
        _check_reason(found, id, letter, promises, verdict)
    if set(state["listed"]) != set(state["letters"]):
        verdict.violate("dead letter", "all", "the list of dead letters and their contents differ")


def _check_letter(found: Index, delivery: Delivery, state: Mapping[str, Any], verdict: Verdict) -> None:
    confirmed = [span for span in delivery.nacks if span.end is not None]
    if not confirmed or delivery.id in state["letters"]:
        return
    if window := found.loss(*(span.end for span in (*confirmed, *delivery.fetches))):
        verdict.excused[f"dead letter lost, {window.reason}"] += 1
        return
    # The acknowledgment of a worker that had lost the message has no effect, but then another worker ends it.
    if not delivery.acks:
        verdict.violate("dead letter", delivery.id, f"{delivery.task} was dead-lettered, and no letter exists")


def _check_reason(found: Index, id: str, letter: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    delivery = found.deliveries.get(id)
    if delivery is None or not delivery.nacks:
        verdict.violate("dead letter", id, "no worker has dead-lettered this message")
        return
    if letter["reason"] == "retries-exhausted":
        wanted = promises.max_retries + 1
        if delivery.attempt != wanted or letter["failures"] != wanted:
            text = f"attempt {delivery.attempt}, {letter['failures']} failures in its history; both must be {wanted}"
            verdict.violate("dead letter", id, text)
    elif letter["reason"] == "kills-worker":
        lost = _most_losses(found, promises, delivery)
        if lost < promises.max_deliveries:
            text = f"at most {lost} workers lost it before, the limit is {promises.max_deliveries}"
            verdict.violate("dead letter", id, text)
    else:
        verdict.violate("dead letter", id, f"no message of the plan can have the reason {letter['reason']}")


def _most_losses(found: Index, promises: Promises, delivery: Delivery) -> int:
    """Return how many losses of a message the janitor may have counted before a worker gave it up.

    It counts one when it takes the message back from a worker without a heartbeat for the timeout. A fetch is a
    heartbeat, so each loss takes at least the timeout, and needs a worker that died or was silent. The worker may have
    fetched the message without a record, and a worker that continues may lose it again. No failover adds a loss.
    """
    begin, end = delivery.sends[0].begin, delivery.nacks[-1].begin
    causes = sum(
        times_dead(found, promises, process, begin, end)
        for process in found.processes.values()
        if process.node in found.workers
    )
    causes += sum(window.touches(begin, end) for window in found.unseen)
    return min(causes, int((end - begin) / (promises.heartbeat_seconds - TOLERANCE_SECONDS)))
