"""Lines of the console format, which people read."""

import pytest

from financehub_shared.logging.console import ConsoleRenderer


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("BTC-USD", "BTC-USD"),
        ("", "''"),
        ("no price", "'no price'"),
        ("x level=error", "'x level=error'"),
        ("a=b", "'a=b'"),
        ("' level=error", "'\\' level=error'"),
        (3, "3"),
        (["a b"], "['a b']"),
    ],
)
def test_console_renderer_with_any_value_shows_one_field(value: object, shown: str) -> None:
    """A text that could be read as several fields is in quotes, so that it cannot forge a field."""
    event = {"timestamp": "12:00:00", "level": "info", "event": "quote_stored", "note": value}
    line = ConsoleRenderer(colored=False)(None, "info", event)
    assert line.split(maxsplit=3)[3] == f"note={shown}"
