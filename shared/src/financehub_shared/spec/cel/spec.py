"""The CEL rules that compare fields of the spec, and the spec with the name of its resource."""

from collections.abc import Callable, Mapping
from typing import Any

from financehub_shared.spec.cel.cron import NEVER_DUE, SIX_FIELDS, has_no_special_days, has_possible_days
from financehub_shared.spec.cel.rules import Rule, in_quotes, quoted, validations
from financehub_shared.spec.cel.schedule import SESSION

#: The queues of tiers whose tasks are too slow for schedules with seconds.
SLOW_QUEUES = ("medium", "low")
#: The fields of which a spec has exactly one, and what to write otherwise.
RECURRENCES = ("schedule", "schedules", "after")
ONE_RECURRENCE = "write exactly one of schedule, schedules and after"


def resource() -> dict[str, Any]:
    """Return the rules of the whole resource."""
    return validations(
        Rule(
            "!has(self.spec.after) || self.spec.after != self.metadata.name",
            "is the name of this resource; write the name of another ScheduledTask",
            read=in_quotes("self.spec.after"),
            field=".spec.after",
        )
    )


def spec(queues: Mapping[str, str]) -> dict[str, Any]:
    """Return the rules of the whole spec.

    Args:
        queues: Names of the tasks of the catalog, with their queues.
    """
    slow = [name for name, queue in queues.items() if queue in SLOW_QUEUES]
    is_slow = f"(has(self.queue) ? self.queue in {_list(SLOW_QUEUES)} : self.task in {_list(slow)})"
    any_day = "(!has(self.dayMatch) || self.dayMatch != 'All')"
    return validations(
        Rule(
            "[has(self.schedule), has(self.schedules), has(self.after)].filter(each, each).size() == 1",
            ONE_RECURRENCE,
            read=_found(),
            field=".schedule",
        ),
        Rule(
            f"has(self.queue) || self.task in {_list(queues)}",
            f"is not in the catalog, so queue is required; add queue, or write one of {', '.join(queues)}",
            read=in_quotes("self.task"),
            field=".task",
        ),
        Rule(
            "!has(self.startTime) || !has(self.endTime) || self.startTime <= self.endTime",
            "endTime is before startTime; swap them",
            field=".endTime",
        ),
        Rule(
            "!has(self.calendarOffsetSeconds) || has(self.calendar)",
            "calendarOffsetSeconds needs calendar; add one such as XNYS, or remove calendarOffsetSeconds",
            field=".calendar",
        ),
        *_line_rules(
            lambda text: f"has(self.calendar) || !{text}.matches({quoted(SESSION)})",
            "needs calendar, whose sessions it means; add one such as XNYS",
        ),
        *_line_rules(
            lambda text: f"!{text}.matches({quoted(SIX_FIELDS)}) || !{is_slow}",
            "has six fields, and seconds-level cron needs the queue high or a queue of your own; write five fields, or "
            "set queue",
        ),
        *_line_rules(
            lambda text: f"{any_day} || {has_no_special_days(text)}",
            "has W, # or the L of a weekday, which does not work with dayMatch All; use dayMatch Any, or days without "
            "W, # and L",
        ),
        *_line_rules(lambda text: f"{any_day} || {has_possible_days(text)}", NEVER_DUE),
    )


def _found(names: tuple[str, ...] = RECURRENCES, found: tuple[str, ...] = ()) -> str:
    """Return the CEL expression that says which of the fields a spec has. `join` would cost too much."""
    if not names:
        return quoted(f"found {' and '.join(found) or 'none'};")
    first, *others = names
    return f"(has(self.{first}) ? {_found(tuple(others), (*found, first))} : {_found(tuple(others), found)})"


def _line_rules(valid: Callable[[str], str], problem: str) -> list[Rule]:
    """Return the rules of schedule and of schedules that a text must follow.

    Args:
        valid: Returns the CEL expression that is true for a valid text, given the expression of the text.
        problem: What is wrong and what to write.
    """
    refused = f"self.schedules.filter(s, !({valid('s')}))[0]"
    return [
        Rule(
            f"!has(self.schedule) || ({valid('self.schedule')})",
            problem,
            read=in_quotes("self.schedule"),
            field=".schedule",
        ),
        Rule(
            f"!has(self.schedules) || self.schedules.all(s, {valid('s')})",
            problem,
            read=in_quotes(refused),
            field=".schedules",
        ),
    ]


def _list(values: Any) -> str:
    return "[" + ", ".join(quoted(value) for value in values) + "]"
