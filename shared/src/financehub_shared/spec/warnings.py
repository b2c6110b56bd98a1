"""Finds legal but suspicious specs. The API server finds most of them too, with the same texts, at `kubectl apply`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import Rule, parse_rule
from financehub_shared.spec import warning_texts as texts
from financehub_shared.spec.cel.spec import SLOW_QUEUES
from financehub_shared.spec.due_warnings import due_warnings
from financehub_shared.spec.fields import CatchUp, ConcurrencyPolicy, DayMatch
from financehub_shared.spec.suspicious_lines import ALL_DAYS, BOTH_DAYS, LONG_STEP

#: Expressions that state the seconds or the minutes between two runs directly.
_SECONDS = re.compile(r"\*(?:/0*([1-9][0-9]*))?(?:\s+\*){5}")
_MINUTES = re.compile(r"\*(?:/0*([1-9][0-9]*))?(?:\s+\*){4}")
_IN_ORDER = (ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.BUFFER_ALL)


def find_warnings(spec: Mapping[str, Any], recurrence: Recurrence, now: float) -> list[str]:
    """Return one sentence for each suspicious combination in a spec.

    Args:
        spec: The valid spec, with the names of YAML. Default values may be absent, except for an explicit `dayMatch`.
        recurrence: Its recurrence.
        now: Unix seconds.
    """
    return [*_policies(spec, recurrence), *_lines(spec, recurrence), *due_warnings(recurrence, now)]


def _policies(spec: Mapping[str, Any], recurrence: Recurrence) -> Iterator[str]:
    task = CATALOG.get(spec["task"])
    policy = spec.get("concurrencyPolicy", ConcurrencyPolicy.FORBID)
    limit = spec.get("timeLimitSeconds") or (task.time_limit_seconds if task else 0)
    if policy == ConcurrencyPolicy.ALLOW and any(period_of(rule) < limit for rule in recurrence.rules):
        yield texts.OVERLAP.format(limit=limit)
    # A task fetches prices if it covers a single asset type.
    if task and task.asset_type is not None and "startingDeadlineSeconds" not in spec:
        yield texts.NO_DEADLINE
    if spec.get("catchUp") == CatchUp.ALL and policy not in _IN_ORDER:
        yield texts.CATCH_UP.format(policy=policy)


def _lines(spec: Mapping[str, Any], recurrence: Recurrence) -> Iterator[str]:
    task = CATALOG.get(spec["task"])
    queue = spec.get("queue") or (str(task.queue) if task else "")
    both_days = [rule.text for rule in recurrence.rules if re.search(BOTH_DAYS, rule.text)]
    if spec.get("dayMatch") == DayMatch.ALL and not both_days:
        yield texts.NO_BOTH_DAYS
    # An explicit `Any` says that this is intended.
    if "dayMatch" not in spec and both_days:
        text = texts.EITHER_DAY if _can_match_all(recurrence) else texts.EITHER_DAY_ONLY
        # A line that is due on every day is not due on certain days and also on others.
        yield from (text.format(line=repr(line)) for line in both_days if not re.search(ALL_DAYS, line))
    for rule in recurrence.rules:
        if re.search(LONG_STEP, rule.text):
            yield texts.LONG_STEP.format(line=repr(rule.text))
        if queue in SLOW_QUEUES and period_of(rule) < MINUTE_SECONDS:
            yield texts.SECONDS.format(line=repr(rule.text), queue=queue)


def _can_match_all(recurrence: Recurrence) -> bool:
    """Whether the lines would be valid with `dayMatch: All`."""
    try:
        for rule in recurrence.rules:
            if not rule.text.startswith("@"):
                parse_rule(rule.text, recurrence.zone, day_match=DayMatch.ALL)
    except ValueError:
        return False
    return True


def period_of(rule: Rule) -> float:
    """Return the seconds between two runs if the line states them directly, otherwise a day."""
    if isinstance(rule, Interval):
        return rule.seconds
    if match := _SECONDS.fullmatch(rule.text):
        return int(match[1] or 1)
    if match := _MINUTES.fullmatch(rule.text):
        return int(match[1] or 1) * MINUTE_SECONDS
    return HOUR_SECONDS if rule.text == "@hourly" else DAY_SECONDS
