"""The arguments of a run in its record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.url_secrets import MASK
from financehub_shared.logging import Redactor
from financehub_shared.monitor.run_arguments import MAX_ARGUMENT_BYTES, RunArguments, decode_arguments, encode_arguments

REDACT = Redactor({"hunter22-secret"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=9), each, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=3), st.dictionaries(st.text(max_size=9), VALUES, max_size=3))
def test_stored_arguments_are_read_back_unchanged(args: list[Any], kwargs: dict[str, Any]) -> None:
    """A run can be started again with exactly the arguments that it had, whatever JSON they are, or says why not."""
    text = encode_arguments(args, kwargs, lambda text: text)
    assert text.isascii()
    found = decode_arguments(text)
    assert found is not None
    if not found.problem:
        assert (found.args, found.kwargs) == (args, kwargs)


def test_arguments_of_usual_runs_can_be_used_again() -> None:
    """No arguments, and those of the catalog's tasks, are kept as they are."""
    for kwargs in ({}, {"dry_run": True}, {"symbols": [f"SYM{number}" for number in range(150)]}):
        assert decode_arguments(encode_arguments((), kwargs, REDACT)) == RunArguments([], kwargs)


def test_arguments_at_the_limit_are_stored_and_longer_ones_are_not() -> None:
    """The record keeps the size of arguments that are too long, and nothing of their content."""
    rest = len(encode_arguments((), {"text": ""}, REDACT))
    assert decode_arguments(encode_arguments((), {"text": "x" * (MAX_ARGUMENT_BYTES - rest)}, REDACT)).problem == ""  # type: ignore[union-attr]
    text = encode_arguments((), {"text": "x" * (MAX_ARGUMENT_BYTES - rest + 1)}, REDACT)
    assert len(text) < 30
    assert decode_arguments(text) == RunArguments(
        problem="The arguments have 2,001 bytes, and at most 2,000 are stored."
    )


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (["a hunter22-secret b"], {}, [f"a {MASK} b"]),
        (["https://user:pw@host/x?token=abc"], {}, None),
        ([{"deep": [{"api_key": "abc"}]}], {}, [{"deep": [{"api_key": MASK}]}]),
    ],
)
def test_secrets_are_masked_and_the_run_cannot_be_started_again(
    args: list[Any], kwargs: dict[str, Any], expected: list[Any] | None
) -> None:
    """No secret reaches the record, and nobody runs a task with the mask in place of a secret."""
    text = encode_arguments(args, kwargs, REDACT)
    assert "hunter22" not in text
    assert "pw@" not in text
    assert "abc" not in text
    found = decode_arguments(text)
    assert found is not None
    assert found.problem == "The arguments contain secrets, which are masked."
    if expected is not None:
        assert found.args == expected


def test_values_without_json_form_and_deep_nesting_are_not_stored() -> None:
    """A message of another client in the process cannot make recording a run fail."""
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    shallow: list[Any] = []
    for _ in range(200):
        shallow = [shallow]
    for args in ([object()], [float("nan")], [deep], [shallow], [{("a", 1): 2}]):
        found = decode_arguments(encode_arguments(args, {}, REDACT))
        assert found == RunArguments(problem="The arguments cannot be written as JSON, so they are not stored.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "3",
        '{"args": 3}',
        '{"kwargs": []}',
        '{"bytes": "x"}',
        '{"bytes": 1e999}',
        "[" * 100_000,
        '{"bytes": null}',
        '{"args": [NaN]}',
        '{"kwargs": {"a": 1e999}}',
        f'{{"args": [{"[" * 500}{"]" * 500}]}}',
        f'{{"args": ["{"x" * 2 * MAX_ARGUMENT_BYTES}"]}}',
    ],
)
def test_damaged_arguments_are_reported_and_not_used(text: str) -> None:
    """A field that another program wrote never starts a run."""
    found = decode_arguments(text)
    assert found is not None
    assert found.problem == "The stored arguments are damaged."
    assert (found.args, found.kwargs) == ((), {})


def test_record_without_arguments_has_none() -> None:
    """Records of older releases, and of runs that have not started, say nothing about the arguments."""
    assert decode_arguments(None) is None
