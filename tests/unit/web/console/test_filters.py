"""The filters of the templates."""

import pytest

from financehub_web.console.filters import ago, clock, large, lines, percent, show_text, until, web_address
from financehub_web.console.templates import _ENVIRONMENT


def test_percent_shows_its_sign() -> None:
    """A change is readable without its color."""
    assert [percent("1.234"), percent("-0.5"), percent(0), percent(None)] == ["+1.23 %", "−0.50 %", "+0.00 %", "–"]


def test_large_numbers_are_short() -> None:
    """A volume has at most three significant digits and a suffix."""
    assert [large(9_999), large(12_345), large(1_234_567), large(39.65e9)] == ["9,999", "12.3 k", "1.23 M", "39.6 B"]


def test_times_are_readable_without_the_script() -> None:
    """The server writes UTC and the distance, and the machine-readable time for the script."""
    assert str(ago(1_000.0, 1_075.0)) == (
        '<time datetime="1970-01-01T00:16:40.000Z" title="1970-01-01 00:16:40 UTC" data-time="ago">1m 15s ago</time>'
    )
    assert ">in 25s<" in until("1970-01-01T00:16:40.000Z", 975.0)
    assert ">1970-01-01 00:16:40 UTC<" in clock(1_000.0)
    assert clock(1e300) == clock(None)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://", "http://[", "", "/local"]
)
def test_web_address_refuses_everything_but_the_web(address: str) -> None:
    """A headline never links to a script or to this console."""
    assert web_address(address) is None


def test_web_address_accepts_the_web() -> None:
    """Addresses with http and https are links."""
    assert web_address("https://example.com/a?b=c") == "https://example.com/a?b=c"


def test_templates_show_hostile_text_as_text() -> None:
    """Markup is escaped, and a mark that changes the direction of text is visible, without a filter in the template."""
    template = _ENVIRONMENT.from_string("{{ text }}|{{ text|lines }}")
    hostile = "<script>alert(1)</script>\u202eabc\x1b[1m\n"
    shown = template.render(text=hostile)
    assert shown == (
        r"&lt;script&gt;alert(1)&lt;/script&gt;\u202eabc\x1b[1m\n"
        r"|&lt;script&gt;alert(1)&lt;/script&gt;\u202eabc\x1b[1m" + "\n"
    )
    assert show_text(5) == 5
    assert lines("<b>") == "&lt;b&gt;"
