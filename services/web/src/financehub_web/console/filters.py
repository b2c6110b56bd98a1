"""The filters of the templates: numbers, times and durations as HTML."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from financehub_shared.core.durations import format_duration
from financehub_shared.core.text import printable
from financehub_shared.views.formats import is_calendar_time, iso_time
from financehub_web.console.prices import NOTHING, aligned_price, places, price

_NONE = Markup("<span class=none>{}</span>").format(NOTHING)
_TIME = Markup('<time datetime="{}" title="{}" data-time="{}">{}</time>')
_MINUTE = 60


def show_text(value: object) -> object:
    """Return a value of a template with escapes for all characters that are not printable, such as U+202E.

    Jinja2 passes every value through this function before it escapes HTML, so no page can forget it.
    """
    return printable(value) if type(value) is str else value


def lines(text: str) -> Markup:
    """Return text that has its own lines, such as a traceback."""
    return Markup(escape(printable(text, keep_lines=True)))  # noqa: S704 — it is escaped


def percent(number: Decimal | float | str | None) -> str:
    """Return a change in percent with its sign. The minus is a real minus."""
    if number is None:
        return NOTHING
    return f"{float(number):+,.2f} %".replace("-", "−")


def tendency(number: Decimal | float | str | None) -> str:
    """Return the class of a change: `up`, `down` or nothing."""
    value = 0.0 if number is None else float(number)
    return "up" if value > 0 else "down" if value < 0 else ""


def measure(number: float | None) -> str:
    """Return the value of an indicator."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return large(number) if abs(number) >= 1e6 else price(number).replace("-", "−")


def count(number: float) -> str:
    """Return an integer with a separator of thousands."""
    return f"{number:,.0f}"


def large(number: Decimal | float | str | None) -> str:
    """Return a large number in short form, such as `12.3 M`."""
    if number is None:
        return NOTHING
    value = float(number)
    for limit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / (1e3 if suffix == "k" else limit)
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f} {suffix}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    return NOTHING if seconds is None else format_duration(seconds).replace("ms", " ms")


#: A time in Unix seconds, or in ISO 8601 as in a view.
Moment = float | str | None


def seconds(at: Moment) -> float | None:
    """Return a time in Unix seconds."""
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at


def utc(at: Moment) -> str:
    """Return a time in UTC with seconds."""
    at = seconds(at)
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if is_calendar_time(at) else NOTHING


def ago(at: Moment, now: float) -> Markup:
    """Return how long ago a time was. The script of the console keeps it up to date."""
    return _relative(at, now, "ago", "{} ago")


def until(at: Moment, now: float) -> Markup:
    """Return the time that is left until a time. The script of the console keeps it up to date."""
    return _relative(at, now, "until", "in {}")


def age(at: Moment, now: float) -> Markup:
    """Return the age of something from a time, such as `37s`."""
    return _relative(at, now, "age", "{}")


def _relative(at: Moment, now: float, kind: str, form: str) -> Markup:
    at = seconds(at)
    if not is_calendar_time(at):
        return _NONE
    distance = at - now if kind == "until" else now - at
    text = form.format(format_duration(max(0.0, distance)))
    return _TIME.format(iso_time(at), utc(at), kind, text)


def clock(at: Moment) -> Markup:
    """Return a time in UTC, which the script of the console shows in the zone of the reader."""
    at = seconds(at)
    return _TIME.format(iso_time(at), utc(at), "clock", utc(at)) if is_calendar_time(at) else _NONE


def exact_clock(at: Moment) -> Markup:
    """Return a time in UTC with milliseconds, which the script of the console shows in the zone of the reader."""
    at = seconds(at)
    if not is_calendar_time(at):
        return _NONE
    text = datetime.fromtimestamp(at, UTC).isoformat(" ", "milliseconds").replace("+00:00", " UTC")
    return _TIME.format(iso_time(at), text, "exact", text)


def exact_duration(seconds: float | None) -> str:
    """Return a duration with milliseconds, such as `12 ms`, `1.234 s` or `3m 12.345s`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE * 1_000:
        return f"{milliseconds / 1_000:.3f} s"
    minutes, rest = divmod(milliseconds, _MINUTE * 1_000)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}h ' if hours else ''}{minutes}m {rest / 1_000:.3f}s"


def bytes_(number: float) -> str:
    """Return a number of bytes in MB or GB."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def summary(result: object) -> str:
    """Return the result of a task in a few words, such as `22 of 22, by yahoo`."""
    if not isinstance(result, dict) or not isinstance(result.get("requested"), int):
        return ""
    providers = result.get("providers")
    by = f", by {', '.join(map(str, providers))}" if isinstance(providers, dict) and providers else ""
    return f"{result.get('stored')} of {result['requested']}{by}"


def web_address(url: str) -> str | None:
    """Return an address that a page may link to, or None if it is not one of the web (`javascript:`)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


FILTERS = {
    each.__name__: each
    for each in (
        *(lines, price, aligned_price, places, percent, measure, tendency, count, large, duration),
        *(utc, ago, until, age, clock, summary, web_address),
        *(exact_clock, exact_duration),
    )
} | {"bytes": bytes_}
