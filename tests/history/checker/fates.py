"""Nothing is lost: every enqueue that Redis has confirmed ends, with what must follow from it, and nothing is left."""

from collections.abc import Mapping
from typing import Any

from history.checker.index import Delivery, Index
from history.checker.verdict import Promises, Verdict
from history.plan import KINDS

#: A busy machine may delay a producer by this time in seconds between the creation of a message and its enqueue.
_CREATION_SECONDS = 1.0


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check that each delivery has ended as it must."""
    for key, size in state["left"].items():
        if size:
            verdict.violate("left", key, f"{size} entries are left after everything was processed")
    for task, size in state["running"].items():
        if size and found.lossy:
            # A failover that undoes the end of a run leaves it as running, until the health check declares it lost.
            verdict.excused["left as running"] += size
        elif size:
            verdict.violate("left", task, f"{size} runs count as running after everything was processed")
    for delivery in found.deliveries.values():
        if delivery.exists and not _has_ended(delivery, state, promises):
            _report_lost(found, delivery, verdict)
        _check_skips(delivery, verdict)


def _has_ended(delivery: Delivery, state: Mapping[str, Any], promises: Promises) -> bool:
    """Whether a delivery was processed, and what follows from it exists."""
    if delivery.is_delayed:
        return any(child.exists for child in delivery.followers("move"))
    if delivery.id in state["letters"]:
        return True
    if not delivery.acks:
        return False
    if delivery.skips:
        return True
    if any(run.result == "ok" for run in delivery.runs):
        return delivery.task != "chained" or any(child.exists for child in delivery.followers("callback"))
    failed = any(run.result == "error" for run in delivery.runs)
    return failed and any(child.exists for child in delivery.followers("retry"))


def _check_skips(delivery: Delivery, verdict: Verdict) -> None:
    """Check that a message that was skipped had an age limit, and was too old."""
    kind = KINDS.get(delivery.task)
    limit = kind.max_age if kind else 0.0
    for skip in delivery.skips:
        # A message that killed too many workers is refused in the same way, and then dead-lettered.
        ended = [each for each in delivery.acks if each.process == skip.process and each.begin >= skip.begin]
        age = skip.begin - delivery.sends[0].begin
        if ended and (not limit or age < limit - _CREATION_SECONDS):
            text = f"{delivery.task} was skipped at an age of {age:.1f} s; limit {limit:.1f} s"
            verdict.violate("skipped early", delivery.id, text)


def _report_lost(found: Index, delivery: Delivery, verdict: Verdict) -> None:
    times = [send.end for send in delivery.sends]
    # What follows a run may be lost with the acknowledgment of the run.
    times += [span.end for child in delivery.children for span in child.sends]
    times += [span.end for span in (*delivery.ends, *delivery.fetches)]
    if window := found.loss(*times):
        verdict.excused[f"lost, {window.reason}"] += 1
        return
    steps: dict[str, list[Any]] = {
        "fetched": delivery.fetches,
        "started": delivery.runs,
        "acknowledged": delivery.acks,
        "followed": delivery.children,
    }
    done = ", ".join(f"{name} {len(spans)} times" for name, spans in steps.items() if spans) or "never fetched"
    verdict.violate("lost", delivery.id, f"{delivery.task} of message {delivery.message} in {delivery.queue}: {done}")
