"""How figures are shown."""

import pytest
from rich.console import Console

from financehub_cli.output import iso, iso_day, plain, span, table
from financehub_cli.quotes import readable_price


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (-3, "0ms"),
        (0.0404, "40ms"),
        (9.94, "9.9s"),
        (10, "10s"),
        (61, "1m 1s"),
        (3_600, "1h 0m"),
        (90_061, "1d 1h"),
        (86_400 * 400, "400d 0h"),
    ],
)
def test_a_length_of_time_is_shown_in_its_two_largest_units(seconds: float | None, shown: str):
    """People see how long at a glance; nothing is shown for nothing."""
    assert span(seconds) == shown


def test_times_in_json_are_utc_iso_8601():
    """Scripts get one form of time, to the millisecond."""
    assert iso(1_800_000_000.1234) == "2027-01-15T08:00:00.123Z"
    assert iso(None) is None
    assert iso_day(20_468) == "2026-01-15"


def test_text_from_outside_cannot_steer_the_terminal():
    """Escape sequences and markup in a headline are shown, not obeyed."""
    text = "\x1b[2J[red]Sale[/red]\x07"
    console = Console(width=80, force_terminal=True)
    with console.capture() as captured:
        console.print(table("title", rows=[[text]]))
    assert "[2J[red]Sale[/red]" in captured.get()
    assert "\x1b[2J" not in captured.get()
    assert "\x07" not in plain(text).plain


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("76150.7477758943500", "76,150.75"),
        ("439.18", "439.18"),
        ("13.06170", "13.0617"),
        ("0.000025884550", "0.0000258846"),
        ("1000000", "1,000,000.00"),
        ("0", "0"),
    ],
)
def test_a_price_is_shown_with_the_digits_that_matter(price: str, shown: str):
    """Cents for what is dear, six digits for what is cheap; the JSON keeps all of them."""
    assert readable_price(price) == shown
