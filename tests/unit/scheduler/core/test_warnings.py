"""Warnings about specs that are legal but suspicious."""

from typing import Any

import pytest

from financehub_scheduler.core.warnings import spec_warnings
from support.schedules import schedule
from support.suspicious_specs import NORMAL, SUSPICIOUS

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("spec", "now", "text"),
    [
        ({}, NOW, None),
        ({"catchUp": "All", "concurrencyPolicy": "Allow"}, NOW, None),
        ({"catchUp": "All", "concurrencyPolicy": "BufferAll"}, NOW, None),
        ({"catchUp": "All"}, NOW, "set concurrencyPolicy Allow"),
        ({"calendar": "XNYS"}, NOW, None),
        ({"calendar": "XNYS", "schedule": "0 3 * * *"}, NOW, "'0 3 * * *' is never due"),
        ({"calendar": "XNYS"}, 1_956_000_000.0, "calendar XNYS is known until 2032-01-01"),
    ],
)
def test_spec_warnings_of_suspicious_specs_name_the_remedy(
    spec: dict[str, object], now: float, text: str | None
) -> None:
    """A suspicious spec yields one warning that says what to change, and a normal spec yields none."""
    found = spec_warnings(schedule(**spec), now)
    assert (len(found) == 1 and text in found[0]) if text else found == []


@pytest.mark.parametrize(("spec", "words"), SUSPICIOUS)
def test_spec_warnings_of_suspicious_spec_have_the_words_of_the_api_server(spec: dict[str, Any], words: str) -> None:
    """The scheduler warns of the same specs as `kubectl apply`, in the same words."""
    (warning,) = spec_warnings(schedule(**spec), NOW)
    assert words in warning


@pytest.mark.parametrize("spec", NORMAL)
def test_spec_warnings_of_normal_spec_are_none(spec: dict[str, Any]) -> None:
    """A spec without any problem causes no warning."""
    assert spec_warnings(schedule(**spec), NOW) == []
