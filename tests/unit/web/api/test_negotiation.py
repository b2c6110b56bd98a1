"""Tests of what clients accept."""

import pytest

from financehub_web.api.negotiation import best_type

BOTH = ("application/json", "text/csv")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        (BROWSER, "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; header=present", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("application/*", "application/json"),
        ("application/xml", None),
        ("text/csv;q=0", None),
        ("text/csv;q=nonsense", "application/json"),
    ],
)
def test_best_type_follows_the_qualities(accept: str, chosen: str | None) -> None:
    """The most specific entry decides, and the usual format wins among equal ones (RFC 9110)."""
    assert best_type(accept, BOTH) == chosen
