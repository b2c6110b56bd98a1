"""Patterns of legal but suspicious lines, which Python's `re` and the API server's RE2 read alike."""

#: Cron expressions in which neither the day of month nor the weekday begins with `*`.
BOTH_DAYS = r"^\s*[^@\s]\S*\s+\S+\s+(\S+\s+)?[^*\s]\S*\s+\S+\s+[^*\s]\S*\s*$"
#: Cron expressions in which the day of month or the weekday has all of its values and so restricts nothing, although it
#: does not begin with `*`.
ALL_DAYS = r"(?i)\s0*1-0*31\s+\S+\s+\S+\s*$|\s(0+-0*[67]|0*1-0*7|SUN-SAT|MON-SUN)\s*$"
#: Steps that are at least as long as a field, from the last field on: weekday, month, day of month, hour, and minute or
#: second.
_LONG = (
    "([7-9]|[1-9][0-9]+)",
    "(1[2-9]|[2-9][0-9]|[1-9][0-9]{2,})",
    "(3[1-9]|[4-9][0-9]|[1-9][0-9]{2,})",
    "(2[4-9]|[3-9][0-9]|[1-9][0-9]{2,})",
    "([6-9][0-9]|[1-9][0-9]{2,})",
    "([6-9][0-9]|[1-9][0-9]{2,})",
)
#: Cron expressions with a step with which only one value of a range matches.
LONG_STEP = "|".join(rf"(^|[\s,])[^,\s]+/0*{long}(,\S*)?(\s+\S+){{{place}}}\s*$" for place, long in enumerate(_LONG))
