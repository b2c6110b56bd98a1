"""Reads the time zones in the dates of feeds: names, abbreviations and offsets. Pure."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Minutes east of Greenwich → abbreviations. An abbreviation that several regions use has the meaning that is most
#: common in financial news: IST is Indian time, BST is British Summer Time, and AST, EST, CST, MST and PST are North
#: American times.
_ABBREVIATIONS = {
    0: "UT UTC GMT Z WET",
    60: "CET MET MEZ BST WEST WAT",
    120: "CEST MEST MESZ EET SAST CAT",
    180: "EEST MSK TRT IDT EAT",
    210: "IRST",
    240: "GST",
    300: "PKT",
    330: "IST",
    345: "NPT",
    420: "ICT WIB",
    480: "SGT HKT MYT PHT AWST WITA",
    540: "JST KST WIT",
    570: "ACST",
    600: "AEST",
    630: "ACDT",
    660: "AEDT",
    720: "NZST",
    780: "NZDT",
    -150: "NDT",
    -180: "BRT ART CLST ADT",
    -210: "NST",
    -240: "AST EDT CLT",
    -300: "EST CDT COT PET",
    -360: "CST MDT",
    -420: "MST PDT",
    -480: "PST AKDT",
    -540: "AKST",
    -600: "HST",
}
_OFFSETS = {name: minutes for minutes, names in _ABBREVIATIONS.items() for name in names.split()}
#: Abbreviation that does not depend on the season → time zone, whose offset depends on the date.
_SEASONAL = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
#: The largest offset of a time zone from UTC, in minutes (Kiritimati).
_OFFSET_MAX = 14 * 60
#: The zone after a time: a name, an offset or both.
ZONE = re.compile(
    r"\s*(?P<name>[a-z]+(?:/[a-z_]+)*)?\s*(?:(?P<sign>[+\u2212\u2013-])\s*(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?(?!\d))?",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"[a-z]+(?:/[a-z_]+)*$", re.IGNORECASE)


def zone_offset(zone: re.Match[str] | None, after: str, local: datetime) -> timedelta:
    """Return the offset of the local time from UTC. A numeric offset takes precedence over the name before it."""
    if zone is None:
        return timedelta()
    if zone["sign"]:
        minutes = int(zone["hours"]) * 60 + int(zone["minutes"] or 0)
        minutes = minutes if minutes <= _OFFSET_MAX else 0
        return timedelta(minutes=minutes if zone["sign"] == "+" else -minutes)
    last = _LAST_WORD.search(after)
    for name in (zone["name"], last[0] if last else None):
        if name and name.upper() in _OFFSETS:
            return timedelta(minutes=_OFFSETS[name.upper()])
        if name and (name.upper() in _SEASONAL or "/" in name):
            try:
                return ZoneInfo(_SEASONAL.get(name.upper(), name)).utcoffset(local.replace(tzinfo=None)) or timedelta()
            except (ZoneInfoNotFoundError, ValueError, OSError):  # America/Argentina is a folder of time zones
                continue
    return timedelta()
