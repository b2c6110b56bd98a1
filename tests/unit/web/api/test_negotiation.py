"""Tests of what clients accept."""

import pytest

from financehub_web.api.negotiation import accepts_gzip, best_type

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


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("*, gzip;q=0", False), ("", False)],
)
def test_accepts_gzip_follows_the_qualities(header: str, accepted: bool) -> None:
    """A client that does not name gzip, or refuses it, gets the plain body."""
    assert accepts_gzip(header) is accepted
