"""The CEL rules of time zones and exclusions."""

from financehub_shared.spec.cel.rules import Rule, in_quotes, quoted, validations

_TEXT = in_quotes("self")
_ZONE = "is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'"
ZONE = validations(
    # Go also accepts offsets and 'Local'.
    Rule("self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') && self != 'Local'", _ZONE, read=_TEXT),
    Rule("self == 'Local' || timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0", _ZONE, read=_TEXT),
)
CLOCK = validations(
    Rule(
        "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
        'is not a time of day; write hours and minutes from "00:00" to "23:59"',
        read=_TEXT,
    )
)
_SHORT = "(0[13-9]|1[0-2])-(0[1-9]|[12][0-9])|02-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-30|(0[13578]|1[02])-31"
_LEAP_YEAR = "[12][0-9](0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00"
#: Pattern of a date that exists.
DATE = f"([12][0-9]{{3}}-({_SHORT})|({_LEAP_YEAR})-02-29)"
_DATES = f"^(({_SHORT}|02-29)|{DATE}(/{DATE})?)$"
DATES = validations(
    Rule(
        f"self.matches({quoted(_DATES)})",
        'is not a valid date or range; write one that exists, like "2026-12-24", "12-25" or "2026-12-24/2027-01-02"',
        read=_TEXT,
    ),
    Rule(
        "!self.matches('^[^/]+/[^/]+$') || self.split('/')[0] <= self.split('/')[1]",
        "ends before it begins; swap the two dates",
        read=_TEXT,
    ),
)
EXCLUSION = validations(
    Rule(
        "has(self.weekdays) || has(self.from) || has(self.to) || has(self.dates) || has(self.holidays)",
        "the entry is empty; write at least one of weekdays, from and to, dates, holidays",
    ),
    Rule("has(self.from) || !has(self.to)", "to needs from; write both, or neither for the whole day", field=".from"),
    Rule("has(self.to) || !has(self.from)", "from needs to; write both, or neither for the whole day", field=".to"),
    Rule(
        "!has(self.from) || !has(self.to) || self.from != self.to",
        "is the same time as from; leave both out to exclude the whole day",
        read=in_quotes("self.to"),
        field=".to",
    ),
)
