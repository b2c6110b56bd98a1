"""Nothing runs too often: none after a final outcome or twice without a reason, and attempts count up by one."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from history.checker.index import Delivery, Index, Span
from history.checker.possession import final_end, lost_at
from history.checker.verdict import Promises, Verdict
from history.plan import KINDS


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check the runs of each delivery and what they enqueued."""
    for delivery in found.deliveries.values():
        delivery.runs.sort(key=lambda run: run.begin)
        for earlier, later in pairwise(delivery.runs):
            _check_repetition(found, promises, delivery, earlier, later, verdict)
        _check_children(found, promises, delivery, verdict)
        limit = promises.max_retries + 1
        if delivery.attempt > limit:
            verdict.violate("attempts", delivery.id, f"attempt {delivery.attempt} of at most {limit}")
        kind = KINDS.get(delivery.task)
        if kind and kind.kills and len(delivery.runs) > promises.max_deliveries and not _may_be_undone(found, delivery):
            text = f"it killed {len(delivery.runs)} workers, the limit is {promises.max_deliveries}"
            verdict.violate("attempts", delivery.id, text)


def _may_be_undone(found: Index, delivery: Delivery) -> bool:
    spans = [*delivery.fetches, *delivery.ends, *delivery.requeues]
    return found.loss(*(time for span in spans for time in (span.begin, span.end))) is not None


def _fetch_of(delivery: Delivery, run: Span) -> Span:
    """Return the fetch that delivered a run's message."""
    own = [each for each in delivery.fetches if each.process == run.process and (each.end or 0) <= run.begin]
    return max(own, key=lambda each: each.begin, default=run)


def _check_repetition(
    found: Index, promises: Promises, delivery: Delivery, earlier: Span, later: Span, verdict: Verdict
) -> None:
    """Check that a later run of the same delivery has a reason."""
    final, fetched = final_end(found, promises, delivery), _fetch_of(delivery, later).end or later.begin
    undone = [final] + [each.end for each in delivery.fetches if each.process == earlier.process]
    if final is not None and final < fetched:
        fetch, process = _fetch_of(delivery, later), found.processes[later.process]
        if fetch.begin < final and lost_at(found, promises, delivery, process, fetch.begin) <= final:
            # It was stopped between a fetch and its reply, counted as dead, and continues with the old reply.
            verdict.counts["runs of workers that counted as dead"] += 1
        elif window := found.loss(*undone):
            verdict.excused[f"run again, {window.reason}"] += 1
        else:
            text = f"{later.process} runs it {later.begin - final:.3f} s after its final outcome"
            verdict.violate("run after the end", delivery.id, text)
        return
    process = found.processes[earlier.process]
    since = _fetch_of(delivery, earlier).begin
    if lost_at(found, promises, delivery, process, since) <= fetched:
        verdict.counts["redelivered runs"] += 1
    elif window := found.loss(*undone):
        verdict.excused[f"run again, {window.reason}"] += 1
    else:
        text = (
            f"{later.process} runs it {later.begin - earlier.begin:.3f} s after {earlier.process}, which still held it"
        )
        verdict.violate("run twice", delivery.id, text)


def _check_children(found: Index, promises: Promises, delivery: Delivery, verdict: Verdict) -> None:
    for kind in ("move", "retry", "callback"):
        children = [child for child in delivery.followers(kind) if child.exists]
        for child in children:
            expected = {"move": delivery.attempt, "retry": delivery.attempt + 1, "callback": 1}[kind]
            if child.attempt != expected:
                text = f"a {kind} of attempt {delivery.attempt} is attempt {child.attempt}"
                verdict.violate("attempts", child.id, text)
            if kind == "retry" and not any(run.result == "error" for run in delivery.runs):
                verdict.violate("attempts", child.id, "a retry of a run that did not fail")
        if len(children) > 1:
            window = found.loss(*(span.end for child in children for span in child.sends)) or found.loss(
                *(span.end for span in (*delivery.acks, *delivery.fetches))
            )
            if window:
                verdict.excused[f"doubled {kind}, {window.reason}"] += 1
            else:
                text = f"{len(children)} messages follow {delivery.task} of message {delivery.message}: {kind}"
                verdict.violate(f"doubled {kind}", delivery.id, text)
