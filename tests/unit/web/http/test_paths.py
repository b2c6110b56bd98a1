"""Tests which requests are for the API."""

import pytest

from financehub_web.http.paths import is_for_api, path_of


@pytest.mark.parametrize(
    ("path", "is_api"),
    [
        ("/api", True),
        ("/api/", True),
        ("/api/v1/quotes", True),
        ("/apis", False),
        ("/apis/x", False),
        ("/static/api/x", False),
        ("/quotes/api/y", False),
        ("/", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/tools", "/tools/api/x"])
@pytest.mark.parametrize("is_stripped", [True, False])
def test_request_is_for_the_api_if_its_path_begins_with_it(
    path: str, prefix: str, *, is_api: bool, is_stripped: bool
) -> None:
    """The prefix counts in no way, whether the proxy removes it or not, and neither does the rest of the path."""
    scope = {"type": "http", "path": path if is_stripped else prefix + path, "root_path": prefix}
    assert path_of(scope) == path
    assert is_for_api(scope) == is_api


def test_only_whole_segments_are_the_prefix() -> None:
    """A path that continues the last segment of the prefix does not contain the prefix."""
    assert path_of({"type": "http", "path": "/toolsapi/x", "root_path": "/tools"}) == "/toolsapi/x"
