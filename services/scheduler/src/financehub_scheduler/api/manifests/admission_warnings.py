"""The CEL rules with which `kubectl apply` warns of legal but suspicious specs."""

import re
from typing import Any

from financehub_scheduler.api.manifests import dst
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.spec import warning_texts as texts
from financehub_shared.spec.cel.cron import CRON, has_no_special_days, has_possible_days
from financehub_shared.spec.cel.rules import escaped, in_quotes, quoted
from financehub_shared.spec.cel.spec import SLOW_QUEUES
from financehub_shared.spec.suspicious_lines import ALL_DAYS, BOTH_DAYS, LONG_STEP

_INTERVAL = r"^\s*@every\s+[0-9hms]+(\s+offset\s.*)?\s*$"
_SECONDS = r"^\s*\*(/[0-9]+)?(\s+\*){5}\s*$"
_MINUTES = r"^\s*\*(/[0-9]+)?(\s+\*){4}\s*$"
#: Cron expressions with a fixed minute and hour. A clock change affects only these.
_FIXED = r"^\s*(\S+\s+)?[^@*\s]\S*\s+[^*\s]\S*(\s+\S+){3}\s*$"


def variables() -> dict[str, str]:
    """Return the CEL variables of the rules."""
    limits = " : ".join(f"object.spec.task == '{name}' ? {task.time_limit_seconds}" for name, task in CATALOG.items())
    queues = " : ".join(f"object.spec.task == '{name}' ? '{task.queue}'" for name, task in CATALOG.items())
    hours = " : ".join(
        f"variables.zone in {_list(zones)} ? {_list(hours)}" for hours, zones in dst.changing_hours().items()
    )
    step = "(s.contains('/') ? int(s.trim().split('/')[1].replace('\\t', ' ').split(' ')[0]) : 1)"
    return {
        "lines": "object.spec.?schedules.orValue([object.spec.?schedule.orValue('')])",
        "zone": "object.spec.?timeZone.orValue('UTC')",
        "policy": "object.spec.?concurrencyPolicy.orValue('Forbid')",
        "queue": f"object.spec.?queue.orValue({queues} : '')",
        "limit": f"object.spec.?timeLimitSeconds.orValue({limits} : 0)",
        # Seconds between two runs if the expression states them directly, otherwise a day.
        "periods": f"variables.lines.map(s, s.matches({quoted(_INTERVAL)}) "
        "? int(duration(s.split('offset')[0].replace('@every', '').trim()).getSeconds())"
        f" : s.matches({quoted(_SECONDS)}) ? {step}"
        f" : s.matches({quoted(_MINUTES)}) ? {MINUTE_SECONDS} * {step}"
        f" : s.trim() == '@hourly' ? {HOUR_SECONDS} : {DAY_SECONDS})",
        "bothDays": f"variables.lines.filter(s, s.matches({quoted(CRON)}) && s.matches({quoted(BOTH_DAYS)}))",
        # An explicit `Any` says that this is intended.
        "eitherDay": f"has(object.spec.dayMatch) ? [] : variables.bothDays.filter(s, !s.matches({quoted(ALL_DAYS)}))",
        "canMatchAll": f"variables.lines.all(s, {has_no_special_days('s')} && {has_possible_days('s')})",
        "longSteps": f"variables.lines.filter(s, s.matches({quoted(CRON)}) && s.matches({quoted(LONG_STEP)}))",
        "seconds": f"!(variables.queue in {_list(SLOW_QUEUES)}) ? [] : variables.lines.filter(s, "
        f"s.matches({quoted(_INTERVAL)}) && "
        f"duration(s.split('offset')[0].replace('@every', '').trim()) < duration('{MINUTE_SECONDS}s'))",
        "changing": f"{hours} : []",
        "hours": f"variables.lines.filter(s, s.matches({quoted(_FIXED)}))"
        r".map(s, s.trim().replace('\t', ' ').split(' ').filter(f, f != ''))"
        ".map(fields, fields[size(fields) - 4])",
    }


def validations() -> list[dict[str, str]]:
    """Return the rules. Each is false for a suspicious spec."""
    # A task fetches prices if it covers a single asset type.
    prices = [name for name, task in CATALOG.items() if task.asset_type is not None]
    single, span = "'^[0-9]+$'", "'^[0-9]+-[0-9]+$'"
    first, last = "int(t.split('-')[0])", "int(t.split('-')[1])"
    within = f"({first} <= {last} ? {first} <= h && h <= {last} : {first} <= h || h <= {last})"
    meets = (
        f"t.matches({single}) ? int(t) in variables.changing : t.matches({span}) && "
        f"variables.changing.exists(h, {within})"
    )
    either_day = in_quotes("variables.eitherDay[0].trim()")
    return [
        {
            "expression": f"object.spec.task in {_list(CATALOG)}",
            "messageExpression": "'spec.task: ' + object.spec.task + ' is not in the catalog; runs fail unless a "
            "worker of its queue has it'",
        },
        {
            "expression": "variables.policy != 'Allow' || variables.periods.all(p, p >= variables.limit)",
            "messageExpression": _message(texts.OVERLAP, limit="string(variables.limit)"),
        },
        {
            "expression": f"!(object.spec.task in {_list(prices)}) || has(object.spec.startingDeadlineSeconds)",
            "message": texts.NO_DEADLINE,
        },
        {
            "expression": f"!variables.hours.exists(f, f.split(',').exists(t, {meets}))",
            "messageExpression": "'spec.schedule: in ' + variables.zone + ' clocks skip or repeat a part of these "
            "hours; a skipped time runs at the end of the gap, and a repeated time runs once'",
        },
        {
            "expression": "object.spec.?catchUp.orValue('Latest') != 'All' || variables.policy in ['Allow', "
            "'BufferAll']",
            "messageExpression": _message(texts.CATCH_UP, policy="variables.policy"),
        },
        {
            "expression": "size(variables.eitherDay) == 0",
            "messageExpression": f"variables.canMatchAll ? ({_message(texts.EITHER_DAY, line=either_day)}) : "
            f"({_message(texts.EITHER_DAY_ONLY, line=either_day)})",
        },
        {
            "expression": "object.spec.?dayMatch.orValue('Any') != 'All' || size(variables.bothDays) > 0",
            "message": texts.NO_BOTH_DAYS,
        },
        {
            "expression": "size(variables.longSteps) == 0",
            "messageExpression": _message(texts.LONG_STEP, line=in_quotes("variables.longSteps[0].trim()")),
        },
        {
            "expression": "size(variables.seconds) == 0",
            "messageExpression": _message(
                texts.SECONDS, line=in_quotes("variables.seconds[0].trim()"), queue="variables.queue"
            ),
        },
    ]


def _message(text: str, **values: str) -> str:
    """Return the CEL expression of a text, in which the words in braces are CEL expressions."""
    parts = re.split(r"\{(\w+)\}", text)
    return " + ".join(values[part] if place % 2 else f"'{escaped(part)}'" for place, part in enumerate(parts) if part)


def _list(values: Any) -> str:
    return "[" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + "]"
