"""The CEL rules of cron expressions."""

from dataclasses import dataclass

from financehub_shared.spec.cel.never_due import MONTHS, never_due_days
from financehub_shared.spec.cel.rules import Rule, in_quotes, quoted

_MONTHS = "|".join(MONTHS)
_WEEKDAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_STEP = r"(/0*[1-9][0-9]*)?"
_SIXTY = r"0*[0-5]?[0-9]"
_WEEKDAY = rf"(0*[0-7]|{_WEEKDAYS})"


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a cron expression.

    Args:
        name: Its name in messages.
        allowed: Its values, as messages name them.
        value: Pattern of one value.
        special: Pattern of other entries, beginning with `|`; empty if there are none.
    """

    name: str
    allowed: str
    value: str
    special: str = ""

    @property
    def pattern(self) -> str:
        """Pattern of the field."""
        entry = rf"((\*|{self.value}(-{self.value})?){_STEP}{self.special})"
        # `*-5` and `*` in a range are not valid.
        return f"{entry}(,{entry})*"


#: The fields from the last one, because an expression may begin with a field for seconds.
_FIELDS = (
    _Field("weekday", "0-7 or SUN-SAT, FRI#2 or FRIL", _WEEKDAY, rf"|{_WEEKDAY}#0*[1-5]|{_WEEKDAY}L"),
    _Field("month", "1-12 or JAN-DEC", rf"(0*([1-9]|1[0-2])|{_MONTHS})"),
    _Field(
        "day of month",
        "1-31, L, L-3, LW or 15W",
        r"0*([1-9]|[12][0-9]|3[01])",
        r"|0*([1-9]|[12][0-9]|3[01])W|L(-0*([1-9]|[12][0-9]|30))?W?",
    ),
    _Field("hour", "0-23", r"0*(1?[0-9]|2[0-3])"),
    _Field("minute", "0-59", _SIXTY),
    _Field("second", "0-59", _SIXTY),
)
#: Patterns of texts with five or six fields, and of those with six.
CRON = r"^\s*[^@\s]\S*(\s+\S+){4,5}\s*$"
SIX_FIELDS = r"^\s*[^@\s]\S*(\s+\S+){5}\s*$"
#: Patterns of one field: any, one that begins with `*`, and one that begins with `*` and has more.
_ANY, _STARRED, _STEPPED = r"\S+", r"\*\S*", r"\*\S+"
_NEAREST, _NUMBERED = r"\S*W\S*", r"\S*[#L]\S*"
#: Problem of an expression that has only days such as 31 February. The scheduler also names the months and days.
NEVER_DUE = "never comes; none of its months has such a day; change the day or the month"


def words_of(text: str) -> str:
    """Return the CEL expression of the list of words of a text.

    Args:
        text: CEL expression of the text.
    """
    for blank in (r"'\t'", r"'\n'", r"'\r'", r"'\f'"):
        text += f".replace({blank}, ' ')"
    return f"{text}.split(' ').filter(w, w != '')"


def cron_rules() -> list[Rule]:
    """Return the rules of one cron expression that do not depend on other fields of the spec."""
    return [
        *(_field_rule(place, field) for place, field in enumerate(_FIELDS)),
        _cron_rule(_days(never_due_days(), _STARRED), NEVER_DUE, ""),
        _cron_rule(
            _days(rf"{_STEPPED}\s+{_ANY}", _NUMBERED),
            "a weekday with # or L does not work with this day of month; write * as the day of month",
        ),
        _cron_rule(
            _days(rf"{_NEAREST}\s+{_ANY}", _STEPPED),
            "a day of month with W does not work with this weekday; write * as the weekday",
        ),
    ]


def has_no_special_days(text: str) -> str:
    """Return the CEL expression that is false if a text is a cron expression with a W or # or the L of a weekday.

    Args:
        text: CEL expression of the text.
    """
    special = "|".join((_days(rf"{_NEAREST}\s+{_ANY}", _ANY), _days(rf"{_ANY}\s+{_ANY}", _NUMBERED)))
    return f"(!{text}.matches({quoted(CRON)}) || !{text}.matches({quoted(special)}))"


def has_possible_days(text: str) -> str:
    """Return the CEL expression that is false if no month of a cron expression has one of its days of the month.

    Args:
        text: CEL expression of the text.
    """
    return f"(!{text}.matches({quoted(CRON)}) || !{text}.matches({quoted(_days(never_due_days(), _ANY))}))"


def _field_rule(place: int, field: _Field) -> Rule:
    """Return the rule of one field, which is at `place` from the end."""
    before = rf"^\s*(\S+\s+){{{4 - place},{5 - place}}}" if field.name != "second" else r"^\s*"
    pattern = rf"(?i){before}{field.pattern}(\s+\S+){{{place}}}\s*$"
    form = SIX_FIELDS if field.name == "second" else CRON
    words = words_of("self")
    return Rule(
        f"!self.matches({quoted(form)}) || self.matches({quoted(pattern)})",
        f"is not valid; use {field.allowed}, with * , - and / as operators",
        read=f"'{field.name} ' + {words}[size({words}) - {place + 1}]",
    )


def _cron_rule(pattern: str, problem: str, colon: str = ":") -> Rule:
    """Return the rule that a cron expression must not match a pattern."""
    rule = f"!self.matches({quoted(CRON)}) || !self.matches({quoted(pattern)})"
    return Rule(rule, problem, read=f"{in_quotes('self')} + '{colon}'")


def _days(day_and_month: str, weekday: str) -> str:
    """Return the pattern of a cron expression with certain fields for days."""
    return rf"(?i)^\s*(\S+\s+){{2,3}}{day_and_month}\s+{weekday}\s*$"
