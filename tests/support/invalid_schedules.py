"""Invalid texts of schedules, each with a part of the message that all three sides print."""

from support.spec_case import NEWS, OTHER, SpecCase, without

_FIVE = "cron takes five: minute, hour, day of month, month, weekday; or six with the second first"
_INTERVAL = "is not an interval; write"
_LENGTH = "an interval must be between 1 s and 366 days, such as '@every 90s'"
_OFFSET = "the offset is not shorter than the interval; write"
_PLAIN = "type it again with plain hyphens and spaces"
_MINUTE = "is not valid; use 0-59, with * , - and / as operators"
_HOUR = "is not valid; use 0-23, with * , - and / as operators"
_DAY = "is not valid; use 1-31, L, L-3, LW or 15W"
_MONTH = "is not valid; use 1-12 or JAN-DEC"
_WEEKDAY = "is not valid; use 0-7 or SUN-SAT, FRI#2 or FRIL"
_NEVER = "never comes; none of its months has such a day"

#: Text of the schedule → part of the message.
_TEXTS: dict[str, str] = {
    # form
    "   ": f"has 0 fields; {_FIVE}",
    "*": f"'*' has 1 field; {_FIVE}",
    "* * * *": f"'* * * *' has 4 fields; {_FIVE}",
    "0 0 0 1 1 * 2026": _FIVE,
    "every five minutes": f"'every five minutes' has 3 fields; {_FIVE}",
    "hourly": f"'hourly' has 1 field; {_FIVE}",
    "@fortnightly": "'@fortnightly' is unknown; use one of @hourly, @daily",
    "@opens": "'@opens' is unknown; use one of @hourly",
    "@open +15m": "'@open +15m' is unknown; ",
    "TZ=America/New_York 0 9 * * *": "'TZ=America/New_York 0 9 * * *' begins with a time zone; write",
    "CRON_TZ=UTC 0 9 * * *": "'CRON_TZ=UTC 0 9 * * *' begins with a time zone; write",
    "cron_tz=UTC @daily": "'cron_tz=UTC @daily' begins with a time zone; write",
    "TZ=": "'TZ=' begins with a time zone; write",
    "every 5 minutes": f"'every 5 minutes' has 3 fields; {_FIVE}",
    "@": "'@' is unknown; use one of @hourly",
    "@ daily": "'@ daily' is unknown; use one of @hourly",
    "0\u00a06 * * *": _PLAIN,
    "0 9–17 * * *": _PLAIN,
    "٥ * * * *": _PLAIN,
    "０ ６ * * *": _PLAIN,
    "0 6 * * ſun": _PLAIN,
    "0 6 * *\u2028*": _PLAIN,
    "0 6\x0b* * *": _PLAIN,
    # minutes and hours
    "60 * * * *": f"minute 60 {_MINUTE}",
    "-1 * * * *": f"minute -1 {_MINUTE}",
    "5,60 * * * *": "60 is not valid; use 0-59",
    "1:30 * * * *": f"minute 1:30 {_MINUTE}",
    "1.5 * * * *": f"minute 1.5 {_MINUTE}",
    "*-5 * * * *": f"minute *-5 {_MINUTE}",
    "5- * * * *": f"minute 5- {_MINUTE}",
    "5-10-15 * * * *": f"minute 5-10-15 {_MINUTE}",
    "*/0.5 * * * *": f"minute */0.5 {_MINUTE}",
    "*/-5 * * * *": f"minute */-5 {_MINUTE}",
    "** * * * *": f"minute ** {_MINUTE}",
    "*5 * * * *": f"minute *5 {_MINUTE}",
    "MON * * * *": f"minute MON {_MINUTE}",
    "L * * * *": f"minute L {_MINUTE}",
    "5W * * * *": f"minute 5W {_MINUTE}",
    "0 24 * * *": "hour 24 is not valid; ",
    "0 22-24 * * *": "hour 22-24 is not valid; ",
    "0 25 * * *": f"hour 25 {_HOUR}",
    "60 25 32 13 8": f"minute 60 {_MINUTE}",
    "60 0 9 32 * 8": f"second 60 {_MINUTE}",
    "0 9am * * *": "is not valid; use 0-23",
    # days of the month
    "0 0 0 * *": f"day of month 0 {_DAY}",
    "0 0 32 * *": f"day of month 32 {_DAY}",
    "0 0 0W * *": "is not valid; use 1-31",
    "0 0 1#2 * *": f"day of month 1#2 {_DAY}",
    "0 0 LL * *": f"day of month LL {_DAY}",
    "0 0 L/2 * *": f"day of month L/2 {_DAY}",
    "0 0 -L * *": f"day of month -L {_DAY}",
    "0 0 1-L * *": f"day of month 1-L {_DAY}",
    "0 0 1-5W * *": f"day of month 1-5W {_DAY}",
    "0 0 MON * *": f"day of month MON {_DAY}",
    # months
    "0 0 1 0 *": f"month 0 {_MONTH}",
    "0 0 1 13 *": f"month 13 {_MONTH}",
    "0 0 1 MAI *": f"month MAI {_MONTH}",
    "0 0 1 L *": f"month L {_MONTH}",
    # weekdays
    "0 0 * * 8": f"weekday 8 {_WEEKDAY}",
    "0 0 * * 8L": "is not valid; use 0-7 or SUN-SAT",
    "0 0 * * 5W": f"weekday 5W {_WEEKDAY}",
    "0 0 * * JAN": f"weekday JAN {_WEEKDAY}",
    "0 0 * * MON-": f"weekday MON- {_WEEKDAY}",
    # days that do not exist
    "0 0 31 2 *": f"'0 0 31 2 *' {_NEVER}",
    "0 0 30 2 *": f"'0 0 30 2 *' {_NEVER}",
    "0 0 30,31 FEB *": f"'0 0 30,31 FEB *' {_NEVER}",
    "0 0 31 4-6/2 *": f"'0 0 31 4-6/2 *' {_NEVER}",
    "0 0 31 apr,JUN,9,11 *": f"'0 0 31 apr,JUN,9,11 *' {_NEVER}",
    "0 0 31 2 */2": f"'0 0 31 2 */2' {_NEVER}",
    "0 0 31W 2 *": f"'0 0 31W 2 *' {_NEVER}",
    "0 0 30W 2 *": f"'0 0 30W 2 *' {_NEVER}",
    "0 0 L-30 2 *": f"'0 0 L-30 2 *' {_NEVER}",
    "0 0 L-29 2 *": f"'0 0 L-29 2 *' {_NEVER}",
    "0 0 L-30W 4 *": f"'0 0 L-30W 4 *' {_NEVER}",
    "0 0 31/5 6 *": f"'0 0 31/5 6 *' {_NEVER}",
    "0 0 30/1 2 *": f"'0 0 30/1 2 *' {_NEVER}",
    "0 0 31-2/3 9 *": f"'0 0 31-2/3 9 *' {_NEVER}",
    "0 0 30-31 2-2 *": f"'0 0 30-31 2-2 *' {_NEVER}",
    "0 0 30 2/11 *": f"'0 0 30 2/11 *' {_NEVER}",
    "0 0 31 11-2/3 *": f"'0 0 31 11-2/3 *' {_NEVER}",
    "5 0 0 31 11 *": f"'5 0 0 31 11 *' {_NEVER}",
    "\t0 0\t031 02 * ": _NEVER,
    # days that would have to match both fields
    "0 0 */2 * FRI#2": "; write * as the day of month",
    "0 0 */2 * 5L": "; write * as the day of month",
    "0 0 *,5 * MON#1": "; write * as the day of month",
    "0 0 15W * */2": "; write * as the weekday",
    "0 0 LW * */7": "; write * as the weekday",
    "0 0 L-2W * *,5": "; write * as the weekday",
    # intervals
    "@every": f"'@every' {_INTERVAL}",
    "@every m": f"'@every m' {_INTERVAL}",
    "@every 5": f"'@every 5' {_INTERVAL}",
    "@every 2w": f"'@every 2w' {_INTERVAL}",
    "@every 90": f"'@every 90' {_INTERVAL}",
    "@every 5 m": f"'@every 5 m' {_INTERVAL}",
    "@every -5m": f"'@every -5m' {_INTERVAL}",
    "@every 1.5h": f"'@every 1.5h' {_INTERVAL}",
    "@every 1m1h": f"'@every 1m1h' {_INTERVAL}",
    "@every 1m1m": f"'@every 1m1m' {_INTERVAL}",
    "@every 1h 30m": f"'@every 1h 30m' {_INTERVAL}",
    "@every 1H": f"'@every 1H' {_INTERVAL}",
    "@every 500ms": f"'@every 500ms' {_INTERVAL}",
    "@every 1h offset": f"'@every 1h offset' {_INTERVAL}",
    "@every 1h offset -5m": f"'@every 1h offset -5m' {_INTERVAL}",
    "@every 1h offset 5m offset 6m": _INTERVAL,
    "@every 1h at 5m": f"'@every 1h at 5m' {_INTERVAL}",
    "@every 0s": _LENGTH,
    "@every 0d0h0m0s": _LENGTH,
    "@every 0s offset 0s": _LENGTH,
    "@every 367d": _LENGTH,
    "@every 400d": _LENGTH,
    "@every 366d1s": _LENGTH,
    "@every 8785h": _LENGTH,
    "@every 99999999999999999999s": _LENGTH,
    f"@every {'9' * 200}d": _LENGTH,
    "@every 1h offset 1h": _OFFSET,
    "@every 1h offset 61m": _OFFSET,
    "@every 1s offset 1s": _OFFSET,
    "@every 1h offset 99999999999999999999d": _OFFSET,
}
#: Texts in which the scheduler names the mistake and the API server names the form of the whole field.
_NAMED_DIFFERENTLY: dict[str, str] = {
    "*/0 * * * *": "minute */0",
    "*/00 * * * *": "minute */00",
    "? * * * *": "minute ?",
    "/5 * * * *": "minute /5",
    "1,2, * * * *": "minute 1,2,",
    ",1 * * * *": "minute ,1",
    "0 0 W * *": "day of month W",
    "0 0 L-0 * *": "day of month L-0",
    "0 0 L-31 * *": "day of month L-31",
    "0 0 1 January *": "month JANUARY",
    "0 0 * * L": "weekday L",
    "0 0 * * MON#6": "weekday MON#6",
    "0 0 * * MON#0": "weekday MON#0",
    "0 0 * * Friday": "weekday FRIDAY",
    "0 0 ? * MON": "day of month ?",
}
#: Texts that other fields of the spec do not allow: the fields that change, and a part of the message.
_TEXTS_OF_SPECS: dict[str, tuple[str, dict[str, object], str]] = {
    "open without a calendar": ("@open", {}, "'@open' needs calendar, whose sessions it means; add one such as XNYS"),
    "close without a calendar": ("@close", {}, "'@close' needs calendar, whose sessions it means; add one"),
    "seconds on the queue low": ("*/5 * * * * *", {}, "'*/5 * * * * *' has six fields, and seconds-level cron needs"),
    "seconds on the queue medium by default": (
        "0 0 0 1 1 *",
        {"task": "calculate_indicators_task"},
        "needs the queue high or a queue of your own; write five fields, or set queue",
    ),
    "seconds on the queue medium": ("0 0 0 1 1 *", {"queue": "medium"}, "'0 0 0 1 1 *' has six fields"),
    "a task of the tier high on the queue low with seconds": (
        "0 0 0 1 1 *",
        {"task": "health_check_task", "queue": "low"},
        "'0 0 0 1 1 *' has six fields",
    ),
    "a day and a weekday that never come together": ("0 0 31 2 MON", {"dayMatch": "All"}, f"'0 0 31 2 MON' {_NEVER}"),
    "the last days and a weekday that never come together": (
        "0 0 L-29,30 2 MON-FRI",
        {"dayMatch": "All"},
        f"'0 0 L-29,30 2 MON-FRI' {_NEVER}",
    ),
    "a nearest weekday under dayMatch All": (
        "0 0 15W * MON",
        {"dayMatch": "All"},
        "does not work with dayMatch All; use",
    ),
    "the last weekday of the month under dayMatch All": (
        "0 0 LW * *",
        {"dayMatch": "All"},
        "use dayMatch Any, or days",
    ),
    "a numbered weekday under dayMatch All": ("0 0 1-7 * MON#1", {"dayMatch": "All"}, "use dayMatch Any, or days"),
    "the last Friday under dayMatch All": ("0 0 * * FRIL", {"dayMatch": "All"}, "does not work with dayMatch All; use"),
}


def _cases() -> dict[str, SpecCase]:
    found = {}
    for text, words in _TEXTS.items():
        found[f"schedule {text[:40]!r}"] = SpecCase(OTHER | {"schedule": text}, "spec.schedule", words, everywhere=True)
        in_list = without(OTHER, "schedule") | {"schedules": ["@daily", text]}
        found[f"schedules[1] {text[:40]!r}"] = SpecCase(in_list, "spec.schedules[1]", words, everywhere=True)
    for text, words in _NAMED_DIFFERENTLY.items():
        found[f"schedule {text!r}"] = SpecCase(OTHER | {"schedule": text}, "spec.schedule", words, everywhere=True)
    for name, (text, fields, words) in _TEXTS_OF_SPECS.items():
        found[name] = SpecCase(NEWS | {"schedule": text} | fields, "spec.schedule", words, everywhere=True)
        in_list = without(NEWS, "schedule") | {"schedules": ["@daily", text]} | fields
        found[f"{name} in a list"] = SpecCase(in_list, "spec.schedules", words, everywhere=True)
    return found


INVALID_SCHEDULES = _cases()
