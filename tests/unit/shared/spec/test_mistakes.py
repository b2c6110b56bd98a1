"""Every mistake of a document is reported, with its line, the value, what to write, and without a library's words."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.core.catalog import CATALOG
from financehub_shared.spec.documents import DocumentError, Mistake, parse, split
from financehub_shared.spec.model_fields import field_names
from support.schedules import resource

#: Words of pydantic's messages, and of Python's.
LIBRARY_WORDS = (
    "Input should", "valid string", "valid integer", "valid boolean", "valid list", "valid dictionary", "String should",
    "List should", "Extra inputs", "Field required", "instance of", "pydantic", "Value error", "Traceback", "NoneType",
)  # fmt: skip
HEAD = "apiVersion: financehub.io/v1alpha1\nkind: ScheduledTask\nmetadata: {name: demo}\nspec:\n"
#: Fields of the spec with a value that each of them refuses on its own.
WRONG: dict[str, str] = {
    "timeZone": "Mars/Base",
    "calendar": "NYSE1",
    "concurrencyPolicy": "Forbit",
    "catchUp": "Newest",
    "dayMatch": "Some",
    "suspend": '"yes"',
    "startingDeadlineSeconds": "0",
    "jitterSeconds": "-1",
    "maxQueueDepth": "1.5",
    "retries": "101",
    "timeLimitSeconds": '"60"',
    "maxRuns": "0",
    "pauseAfterFailures": "[1]",
    "startTime": "2026-12-01",
    "endTime": "2026-13-01T00:00:00Z",
    "args": "5",
    "suspendReason": "true",
    "exclude": "[{weekdays: [SAT, SUM]}]",
    "calender": "XNYS",
    "maxruns": "3",
}


def mistakes(text: str) -> tuple[Mistake, ...]:
    """Return the mistakes of the only document."""
    (document,) = split(text)
    try:
        parse(document)
    except DocumentError as error:
        return error.mistakes
    return ()


@given(st.lists(st.sampled_from(sorted(WRONG)), min_size=1, unique=True), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_of_any_set_of_mistakes_is_reported_at_its_line(names: list[str], has_schedule: bool) -> None:
    """However many fields are wrong, each is reported at its line, and no field is reported that is right."""
    schedule = '  schedule: "@hourly"\n' if has_schedule else "  schedule: nonsense\n"
    lines = [f"  {name}: {WRONG[name]}\n" for name in names]
    found = mistakes(HEAD + "  task: my_task\n  queue: q\n" + schedule + "".join(lines))
    first = HEAD.count("\n") + 3
    expected = {first + number + 1: name for number, name in enumerate(names)}
    if not has_schedule:
        expected[first] = "schedule"
    assert {mistake.line for mistake in found} == set(expected), found
    for mistake in found:
        assert mistake.field.split(".")[1] == expected[mistake.line]


#: Fields of a document that are taken away, or get another name or value.
PLACES = [
    *((name,) for name in field_names(())),
    *(("metadata", name) for name in field_names(("metadata",))),
    *(("spec", name) for name in field_names(("spec",))),
]
VALUES = (None, True, 5, -1.5, "x", "", [], [1], {}, {"a": 1}, 10**30, "x" * 1000)


def require_plain_words(data: Any) -> tuple[Mistake, ...]:
    """Return the mistakes of a document, each of which has to say in our words what to write."""
    found = mistakes(yaml.safe_dump(data))
    for mistake in found:
        text = str(mistake)
        assert not any(word in text for word in LIBRARY_WORDS), text
        assert any(word in text for word in ("write", "add", "remove", "use", "change", "takes")), text
        assert len(mistake.problem) < 1_000
    return found


def changed(place: tuple[str, ...], change: Any) -> Any:
    """Return a valid document after a change of the mapping that has a field."""
    data = resource()
    change(data if len(place) == 1 else data[place[0]], place[-1])
    return data


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_any_value_of_any_field_is_accepted_or_refused_in_our_words(place: tuple[str, ...], value: Any) -> None:
    """A value of another kind is refused in a sentence that says what to write."""
    require_plain_words(changed(place, lambda parent, name: parent.update({name: value})))


@pytest.mark.parametrize("place", [("apiVersion",), ("kind",), ("metadata",), ("spec",)], ids=".".join)
@pytest.mark.parametrize("spelling", [None, str.upper, str.title, lambda name: name[:-1], lambda name: name + "s"])
def test_document_without_a_field_is_refused_and_names_it(place: tuple[str, ...], spelling: Any) -> None:
    """A required field that is absent or misspelled is named, alone and together with any other one."""
    for other in (None, ("apiVersion",), ("kind",), ("metadata",), ("spec",)):
        data = changed(place, lambda parent, name: parent.pop(name))
        if spelling is not None:
            data[spelling(place[0])] = resource()[place[0]]
        if other is not None:
            data.pop(other[0], None)
        found = require_plain_words(data)
        assert any(place[0] in str(mistake) for mistake in found), found


def test_document_without_a_spec_says_to_add_it() -> None:
    """A document that ends before its spec has one mistake."""
    text = "apiVersion: financehub.io/v1alpha1\nkind: ScheduledTask\nmetadata: {name: x}\n"
    assert [str(mistake) for mistake in mistakes(text)] == ["spec: is missing; add it"]


@pytest.mark.parametrize("field", field_names(("spec",)))
@pytest.mark.parametrize("spelling", [str.lower, str.upper, lambda name: name[:-1], lambda name: name + "s"])
def test_misspelled_field_names_the_right_one(field: str, spelling: Any) -> None:
    """A field with a letter too many, too few or in another case is named, unless that is another field."""
    name = spelling(field)
    if name in field_names(("spec",)):
        return
    found = [mistake for mistake in mistakes(f"{HEAD}  {name}: 1\n") if mistake.field == f"spec.{name}"]
    assert field in found[0].problem


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("task: fetch_crypto_price_task\n  schedule: '@hourly'", "did you mean fetch_crypto_prices_task?"),
        ("task: t\n  queue: q\n  schedule: '@hourly'\n  timeZone: europe/berlin", "did you mean Europe/Berlin?"),
        ("task: t\n  queue: q\n  schedule: '@hourly'\n  timeZone: America/NewYork", "did you mean America/New_York"),
        ("task: t\n  queue: q\n  schedule: '@hourly'\n  calendar: xnys", "did you mean XNYS?"),
        ("task: t\n  queue: q\n  schedule: '@hourly'\n  concurrencyPolicy: buffer-one", "write BufferOne"),
        ("task: fetch_crypto_prices_task\n  schedule: '@hourly'\n  kwargs: {symbols: [ON]}", 'write "ON"'),
        ("task: t\n  queue: q\n  schedule: 12:30", "has 1 field"),
        ("task: t\n  queue: q\n  schedule: 5", "5 is not allowed; write text"),
        ("task: t\n  queue: q\n  schedule: '@hourly'\n  suspendReason: 0o17", "0o17 without quotes means 15"),
    ],
)  # fmt: skip
def test_mistake_names_what_the_user_may_have_meant(spec: str, hint: str) -> None:
    """A misspelled task, zone, exchange or policy is answered with the right name, and a value with its quotes."""
    found = mistakes(f"{HEAD}  {spec}\n")
    assert any(hint in mistake.problem for mistake in found), found


@pytest.mark.parametrize("task", sorted(CATALOG))
@pytest.mark.parametrize("spelling", [str.upper, lambda name: name[:-1], lambda name: name.replace("_", "-")])
def test_misspelled_task_is_named_at_its_line_with_the_right_one(task: str, spelling: Any) -> None:
    """The mistake is in the field task, although a task with any name is valid if it has a queue."""
    name = spelling(task)
    (found,) = mistakes(f"{HEAD}  schedule: '@hourly'\n  task: {name}\n")
    assert (found.line, found.field) == (6, "spec.task")
    assert found.problem.startswith((f"'{name}' is not in the catalog", f'"{name}" is not a valid name'))
    assert found.problem.endswith(f"did you mean {task}?")
    assert "did you mean" not in str(mistakes(f"{HEAD}  task: {name}\n  queue: 5\n"))


@pytest.mark.parametrize("number", range(8))
def test_recurrences_that_were_found_are_named(number: int) -> None:
    """Exactly one of the three fields is valid. Otherwise the message says which ones there are."""
    texts = {"schedule": "'@hourly'", "schedules": "['@hourly']", "after": "x"}
    fields = [name for bit, name in enumerate(texts) if number >> bit & 1]
    text = f"{HEAD}  task: t\n  queue: q\n" + "".join(f"  {name}: {texts[name]}\n" for name in fields)
    found = [mistake.problem for mistake in mistakes(text)]
    problem = f"found {' and '.join(fields) or 'none'}; write exactly one of schedule, schedules and after"
    assert found == ([] if len(fields) == 1 else [problem])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5", "5 is not a resource; write the fields apiVersion, kind, metadata and spec"),
        ("[a]", '["a"] is not a resource'),
        ("kind: List\nitems: []", "write each of its items as a document, with --- between them"),
        ("kind: CronJob", '"CronJob" is not allowed; write ScheduledTask'),
    ],
)
def test_document_of_another_kind_has_one_mistake(text: str, problem: str) -> None:
    """If the document is something else, the missing fields of a ScheduledTask say nothing."""
    (found,) = mistakes(text)
    assert problem in found.problem


def test_a_bad_entry_of_a_list_has_its_own_place() -> None:
    """Each bad entry is reported at its line, although removing the first one changes the numbers of the others."""
    text = f"{HEAD}  task: fetch_crypto_prices_task\n  schedules:\n  - 61 * * * *\n  - '@hourly'\n  - nonsense\n"
    text += "  kwargs:\n    symbols:\n    - btc\n    - BTC-USD\n    - 5\n    - eth\n"
    places = [(mistake.line, mistake.field) for mistake in mistakes(text)]
    assert places == [
        (7, "spec.schedules.0"),
        (9, "spec.schedules.2"),
        (12, "spec.kwargs.symbols.0"),
        (14, "spec.kwargs.symbols.2"),
        (15, "spec.kwargs.symbols.3"),
    ]


def test_value_of_a_misspelled_field_is_checked_too() -> None:
    """A misspelled field is read as the one that it resembles, so that the mistakes in its value are found."""
    found = mistakes(f"{HEAD}  task: t\n  queue: q\n  shedule: 61 * * * *\n  maxruns: 0\n")
    assert [(mistake.line, mistake.field) for mistake in found] == [
        *((7, "spec.shedule"), (7, "spec.shedule"), (8, "spec.maxruns"), (8, "spec.maxruns")),
    ]
    assert "minute 61 is not valid" in found[1].problem
    assert "0 is too small" in found[3].problem


def test_very_many_mistakes_are_counted() -> None:
    """The first mistakes of a document are reported, and the others are counted."""
    text = HEAD + "  task: t\n  queue: q\n  schedule: '@hourly'\n" + "".join(f"  x{n}: 1\n" for n in range(200))
    found = mistakes(text)
    assert (len(found), found[-1].problem) == (51, "and 150 more mistakes in this document")


def test_a_file_in_json_has_the_lines_of_its_mistakes() -> None:
    """JSON is read like YAML."""
    found = mistakes(json.dumps(resource(schedule="nonsense"), indent=1))
    assert [mistake.field for mistake in found] == ["spec.schedule"]
    assert found[0].line > 5


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("default/fetch-news", "write fetch-news"),
        ("a/b/c", "write c"),
        ("default/", "write its name"),
        ("/", "write its name"),
    ],
)
def test_predecessor_with_a_namespace_says_to_write_only_its_name(value: str, fix: str) -> None:
    """A schedule only follows one of its namespace, which the message says."""
    (mistake,) = mistakes(HEAD + f"  task: my_task\n  queue: q\n  after: {value}\n")
    assert (mistake.line, mistake.field) == (HEAD.count("\n") + 3, "spec.after")
    assert mistake.problem == (
        f"'{value}' has a namespace, and after names a ScheduledTask of the same namespace; {fix}"
    )


def test_line_with_several_mistakes_has_a_message_for_each() -> None:
    """Each invalid field of a cron expression is a mistake, at the line of the schedule."""
    found = mistakes(HEAD + '  task: my_task\n  queue: q\n  schedule: "60 25 32 13 8"\n')
    assert {mistake.line for mistake in found} == {HEAD.count("\n") + 3}
    assert [mistake.problem.split(" is not")[0].split(": ")[1] for mistake in found] == [
        *("minute 60", "hour 25", "day of month 32", "month 13", "weekday 8")
    ]


def test_empty_schedule_says_what_to_write() -> None:
    """The message has a valid schedule."""
    (mistake,) = mistakes(HEAD + '  task: my_task\n  queue: q\n  schedule: ""\n')
    assert mistake.problem == "'' is not a schedule; write one such as '@every 5m' or '30 6 * * 1-5'"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("kwargs: {" + ", ".join(f"k{number}: 1" for number in range(70)) + "}", "has 70 entries; write at most 64"),
        ("schedules: [" + ", ".join(['"@daily"'] * 70) + "]", "has 70 entries; write from 1 to 16"),
        ("exclude: [" + ", ".join(["{weekdays: [SAT]}"] * 70) + "]", "has 70 entries; write at most 16"),
    ],
)
def test_mapping_or_list_with_too_many_entries_names_their_number(spec: str, problem: str) -> None:
    """The message says how many entries were read, and how many are possible."""
    found = mistakes(f"{HEAD}  task: fetch_news_task\n  {spec}\n")
    assert problem in [mistake.problem for mistake in found]
