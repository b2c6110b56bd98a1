"""Tests that errors of actions are sentences for users of the console."""

import pytest
from pydantic import ValidationError

from financehub_shared.core.errors import ConfigError, FinanceHubError, InvalidArgumentsError, UnknownNameError
from financehub_web.actions.breakers import BreakerForm
from financehub_web.actions.schedules import ScheduleForm
from financehub_web.console.sentences import problem_of, sentence_of


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConfigError("no schedule is selected"), "No schedule is selected."),
        (ConfigError("default/demo: paused already."), "default/demo: paused already."),
        (ConfigError("rss: each of its feeds has its own breaker"), "rss: each of its feeds has its own breaker."),
        (UnknownNameError("symbol", "BTCUSD", ["BTC-USD"]), "Unknown symbol 'BTCUSD'; did you mean BTC-USD?"),
        (InvalidArgumentsError("schedules", "name", "'x' is not registered"), "'x' is not registered."),
        (InvalidArgumentsError("task", "symbols.0", "it is empty"), "symbols.0: it is empty."),
    ],
)
def test_sentence_begins_with_a_capital_unless_it_is_a_name(error: FinanceHubError, sentence: str) -> None:
    """The message has one punctuation mark at its end, and names keep their spelling."""
    assert sentence_of(error) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "schedule: the value is missing."),
        ({"schedule": ""}, "schedule: the value is empty."),
        ({"schedule": "x" * 500}, "schedule: the value has more than 400 characters."),
        ({"schedule": "x", "other": "1"}, "other: this value is unknown."),
    ],
)
def test_problem_of_a_form_names_the_value(values: dict[str, str], sentence: str) -> None:
    """No term of the library that checks forms reaches the user."""
    with pytest.raises(ValidationError) as caught:
        ScheduleForm.model_validate(values)
    assert problem_of(caught.value) == sentence


def test_problem_of_a_choice_names_the_choices() -> None:
    """The sentence has the values that are allowed."""
    with pytest.raises(ValidationError) as caught:
        BreakerForm.model_validate({"upstream": "binance", "change": "explode"})
    assert problem_of(caught.value) == "change: the value must be 'open', 'close' or 'reset'."
