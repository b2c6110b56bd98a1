"""The CEL rules of the text of a schedule: cron expressions, aliases, intervals, `@open` and `@close`."""

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.recurrence.rules import ALIASES
from financehub_shared.spec.cel.cron import CRON, cron_rules, words_of
from financehub_shared.spec.cel.rules import Rule, in_quotes, quoted, validations

#: Patterns of `@open` and `@close`, and of the texts that begin like an interval.
SESSION = r"^\s*@(open|close)\s*$"
_ALIASES = r"^\s*@(hourly|daily|midnight|weekly|monthly|yearly|annually|open|close)\s*$"
_EVERY = r"^\s*@every(\s|$)"
_DURATION = "([0-9]+d([0-9]+h)?([0-9]+m)?([0-9]+s)?|[0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)"
_INTERVAL = rf"^\s*@every\s+{_DURATION}(\s+offset\s+{_DURATION})?\s*$"
#: Patterns of texts that begin with a time zone, of texts of plain characters, of those that are an alias or cron
#: fields, and of those with a known alias.
_ZONED = r"(?i)^\s*(CRON_)?TZ="
_PLAIN = r"^[\x20-\x7e\t\n\r\f]*$"
_STARTS = rf"^\s*@|{CRON}"
_KNOWN = rf"^\s*([^@\s]|$)|{_ALIASES}|{_EVERY}"
#: A number that is too large for any duration. Longer ones would overflow CEL's integers.
_HUGE = "[1-9][0-9]{8}"
_LONGEST_DAYS = 366
_UNITS = {"d": DAY_SECONDS, "h": HOUR_SECONDS, "m": MINUTE_SECONDS, "s": 1}
_TEXT = in_quotes("self")
_SIZE = f"size({words_of('self')})"
#: CEL expression of the number of fields, without a conversion of the number, whose cost cannot be estimated.
_COUNT = f"({_SIZE} > 6 ? 'more than 6 fields' : {_SIZE} == 1 ? '1 field' : ['0','','2','3','4'][{_SIZE}] + ' fields')"


def schedule_rules() -> list[Rule]:
    """Return the rules of one text that do not depend on other fields of the spec."""
    interval = f"!self.matches({quoted(_INTERVAL)})"
    seconds = {place: _seconds(f"self.split('offset')[{place}]") for place in range(2)}
    return [
        Rule(
            f"self.matches({quoted(_PLAIN)})",
            "has a character that no schedule has, such as a long dash or a special space; type it again with plain "
            "hyphens and spaces",
            read=_TEXT,
        ),
        Rule(
            f"!self.matches({quoted(_ZONED)})",
            "begins with a time zone; write it in timeZone, and only the rest as the schedule",
            read=_TEXT,
        ),
        Rule(
            f"self.matches({quoted(_STARTS)})",
            "cron takes five: minute, hour, day of month, month, weekday; or six with the second first",
            read=f"{_TEXT} + ' has ' + {_COUNT} + ';'",
        ),
        Rule(
            f"self.matches({quoted(_KNOWN)})",
            f"is unknown; use one of {', '.join(ALIASES)}, @open, @close, '@every 5m' or five cron fields",
            read=_TEXT,
        ),
        Rule(
            f"!self.matches({quoted(_EVERY)}) || self.matches({quoted(_INTERVAL)})",
            "is not an interval; write it like '@every 90s', '@every 1h30m' or '@every 1h offset 7m', with the units "
            "d, h, m and s in this order",
            read=_TEXT,
        ),
        Rule(
            f"{interval} || (!self.split('offset')[0].matches('{_HUGE}') && {seconds[0]} >= 1 "
            f"&& {seconds[0]} <= {_LONGEST_DAYS * DAY_SECONDS})",
            f"is too short or too long; an interval must be between 1 s and {_LONGEST_DAYS} days, such as '@every 90s'",
            read=_TEXT,
        ),
        Rule(
            f"{interval} || !self.contains('offset') || self.split('offset')[0].matches('{_HUGE}') "
            f"|| (!self.split('offset')[1].matches('{_HUGE}') && {seconds[1]} < {seconds[0]})",
            "the offset is not shorter than the interval; write a shorter one",
            read=f"{_TEXT} + ':'",
        ),
        *cron_rules(),
    ]


def _seconds(text: str) -> str:
    """Return the CEL expression of the seconds of a duration.

    Args:
        text: CEL expression of a text that has one valid duration.
    """
    found = {unit: f"{text}.find('[0-9]+{unit}')" for unit in _UNITS}
    return "({})".format(
        " + ".join(
            f"({part} == '' ? 0 : {seconds} * int({part}.replace('{unit}', '')))"
            for (unit, part), seconds in zip(found.items(), _UNITS.values(), strict=True)
        )
    )


SCHEDULE = validations(*schedule_rules())
