"""Checks a history against all rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from history.checker import counters, deaths, fates, janitor, letters, runs
from history.checker.index import index
from history.checker.verdict import Promises, Verdict
from history.events import Event


def check(events: Sequence[Event], state: Mapping[str, Any], promises: Promises | None = None) -> Verdict:
    """Return which promises a history breaks.

    Args:
        events: All events in the order of their times.
        state: What Redis contains at the end, after everything has been processed: `left` (key of a queue → size),
            `letters` (id → message, task, reason and number of failures), `listed` (ids of letters), `records`
            (message → state and attempt), `stats` (task → counters) and `running` (task → number).
        promises: The limits.
    """
    promises = promises or Promises()
    found, verdict = index(events), Verdict()
    for event in found.unknown:
        verdict.violate(
            "phantom", event.fields.get("delivery", event.fields.get("ids", "")), f"{event.kind} without an enqueue"
        )
    for rules in (fates, letters, runs, deaths, janitor, counters):
        rules.check(found, state, promises, verdict)
    _count(found.deliveries.values(), state, verdict)
    return verdict


def _count(deliveries: Any, state: Mapping[str, Any], verdict: Verdict) -> None:
    verdict.counts["messages confirmed"] = len({each.message for each in deliveries if each.is_confirmed})
    verdict.counts["messages unknown"] = len(
        {each.message for each in deliveries} - {each.message for each in deliveries if each.exists}
    )
    verdict.counts["deliveries"] = len(deliveries)
    verdict.counts["runs"] = sum(len(each.runs) for each in deliveries)
    verdict.counts["dead letters"] = len(state["letters"])
    verdict.counts["skipped"] = sum(bool(each.skips) for each in deliveries)
