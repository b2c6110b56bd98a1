"""Valid and invalid YAML documents. Errors name the line and the fix."""

import re
import textwrap

import pytest

from financehub_shared.spec.documents import DocumentError, parse, split

GOOD = """\
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata:
  name: demo
spec:
  task: fetch_crypto_prices_task
  schedule: "@every 2m"
"""


def refusal(text: str) -> DocumentError:
    found = None
    for document in split(text):
        try:
            parse(document)
        except DocumentError as error:
            assert found is None, "more than one document is refused"
            found = error
    assert found is not None
    return found


def mistakes(text: str) -> list[tuple[int, str]]:
    """Return the line and the description of each mistake in the only refused document."""
    return [(mistake.line, str(mistake)) for mistake in refusal(text).mistakes]


def test_parse_of_a_valid_document_applies_defaults() -> None:
    """A complete document yields a ScheduledTask with the defaults filled in."""
    (document,) = split(GOOD)
    task = parse(document)
    assert task is not None
    assert task.metadata.namespace == "default"
    assert task.spec.schedule == "@every 2m"
    assert task.spec.concurrency_policy == "Forbid"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        pytest.param("  name: demo", "  name: [demo", 5, "YAML syntax: the list .* is not closed; write", id="syntax"),
        pytest.param("  name: demo", "\tname: demo", 4, "YAML syntax: a tab cannot indent; use spaces", id="tab"),
        pytest.param(
            "kind: ScheduledTask", "kind: CronJob", 2, 'kind: "CronJob" is not allowed; write ScheduledTask', id="kind"
        ),
        pytest.param(
            "v1alpha1",
            "v1",
            1,
            'apiVersion: "financehub.io/v1" is not allowed; write financehub.io/v1alpha1',
            id="version",
        ),
        pytest.param(
            "  name: demo",
            "  name: Demo_1",
            4,
            'metadata.name: "Demo_1" is not a valid name; .*such as demo-1',
            id="name",
        ),
        pytest.param(
            "  name: demo",
            "  name: demo\n  annotation: {}",
            5,
            "annotation: unknown field; write annotations",
            id="metadata-field",
        ),
        pytest.param("  name: demo", "  labels: {}", 3, "metadata.name: is missing; add it", id="no-name"),
        pytest.param(
            "  schedule:", "  shedule:", 7, "spec.shedule: unknown field; write schedule or schedules", id="field"
        ),
        pytest.param("  task: fetch_crypto_prices_task\n", "", 5, "spec.task: is missing", id="no-task"),
        pytest.param(
            "fetch_crypto_prices_task", "mine", 6, "'mine' is not in the catalog, so queue", id="unknown-task"
        ),
        pytest.param('"@every 2m"', '"0 0 31 2 *"', 7, "because February has no day 31", id="31-february"),
        pytest.param('"@every 2m"', '"@every 2"', 7, "is not an interval; write '@every 2s'", id="interval"),
        pytest.param('"@every 2m"', "5", 7, "spec.schedule: 5 is not allowed; write text", id="schedule-type"),
        pytest.param('  schedule: "@every 2m"', "  schedules: ['* * * * *', '61 * * * *']", 7, "use 0-59", id="second"),
        pytest.param('  schedule: "@every 2m"', "  suspend: false", 5, "exactly one of schedule", id="none"),
        pytest.param('"@every 2m"', '"@daily"\n  timeZone: Mars/Base', 8, "not an IANA time zone", id="zone"),
        pytest.param('"@every 2m"', '"@daily"\n  calendar: NYSE', 8, "'NYSE' is not a known exchange", id="exchange"),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  suspend: "yes"',
            8,
            'spec.suspend: "yes" is not allowed; write true or false',
            id="bool",
        ),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  retries: -1',
            8,
            "spec.retries: -1 is too small; write a number from 0 to 100",
            id="retries",
        ),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  jitterSeconds: 1.5',
            8,
            "1.5 is not allowed; write a whole number",
            id="fraction",
        ),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  catchUp: Sometimes',
            8,
            "Sometimes.* write one of None, Latest, All",
            id="catch-up",
        ),
        pytest.param('"@every 2m"', '"@daily"\n  startTime: 2026-12-01T09:00:00', 8, "needs an offset", id="naive"),
        pytest.param(
            '"@every 2m"', '"@daily"\n  maxRuns: .nan', 8, "is not a number in JSON; write a finite number", id="nan"
        ),
        pytest.param(
            '"@every 2m"', '"@daily"\n  retries: 1\n  retries: 2', 9, "written twice; remove one", id="duplicate"
        ),
        pytest.param('"@every 2m"', '"@daily"\n  args: [1]', 8, "accepts keyword arguments only", id="args"),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  kwargs: {symbols: [btc]}',
            8,
            "spec.kwargs.symbols.0: 'btc' is not a symbol; did you mean BTC-USD",
            id="kwargs",
        ),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  kwargs: {symbol: [BTC-USD]}',
            8,
            "unknown argument; .* symbols",
            id="unknown-arg",
        ),
        pytest.param(
            '"@every 2m"',
            '"@daily"\n  args: !!python/name:os.system x',
            8,
            "tag .* is not allowed; write the value without it",
            id="tag",
        ),
    ],
)
def test_parse_of_an_invalid_document_names_line_and_fix(old: str, new: str, line: int, message: str) -> None:
    """The error for an invalid document has the line, counted from the top of the file, and says how to fix it."""
    assert old in GOOD
    error = refusal(f"# a comment\n{GOOD}---\n" + GOOD.replace(old, new, 1))
    assert error.mistakes[0].line == line + 9
    assert re.search(message, str(error)), str(error)


def test_parse_with_end_before_start_is_refused() -> None:
    """An end time before the start time is refused, and the error says how to fix it."""
    limits = "  startTime: 2026-12-02T00:00:00Z\n  endTime: 2026-12-01T00:00:00Z\n"
    assert "swap them" in str(refusal(GOOD + limits))


def test_refusal_of_a_readable_resource_has_its_name() -> None:
    """The error has the resource's name if it can be read, which a syntax error prevents."""
    assert refusal(GOOD.replace("@every 2m", "nonsense")).name == "default/demo"
    assert refusal(GOOD.replace("name: demo", "name: [demo")).name == ""


def test_split_with_a_broken_document_returns_the_others() -> None:
    """A stream is split at its `---` lines, so the documents after a broken one are read with correct line numbers."""
    documents = list(split("\n---\na: [\n--- # comment\nb: 1\n---\n\n---\nc: 2\n"))
    assert [(document.offset, document.text.split("\n")[1]) for document in documents] == [
        *((1, "a: ["), (3, "b: 1"), (7, "c: 2")),
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n# another\n", "null\n"])
def test_parse_of_an_empty_document_returns_none(text: str) -> None:
    """Comments and empty documents are neither schedules nor errors."""
    assert [parse(document) for document in split(text)] in ([], [None])


def test_parse_of_exploding_aliases_is_refused() -> None:
    """A document whose aliases would expand to millions of values is refused before it expands."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
    )
    assert "more than 10000 values" in str(refusal(bomb))


def test_parse_of_an_unquoted_time_keeps_its_offset() -> None:
    """An unquoted time is read as a string, as in JSON, so its offset is kept."""
    text = GOOD + "  startTime: 2026-12-01T09:00:00+02:00\n"
    (document,) = split(text)
    task = parse(document)
    assert task is not None
    assert task.spec.start_time is not None
    assert task.spec.start_time.isoformat() == "2026-12-01T09:00:00+02:00"


def test_parse_ignores_fields_that_an_api_server_adds() -> None:
    """The output of `kubectl get -o yaml` is a valid file."""
    text = GOOD.replace(
        "  name: demo", "  name: demo\n  uid: abc\n  generation: 3\n  creationTimestamp: 2026-01-01T00:00:00Z"
    )
    (document,) = split(text + textwrap.dedent("status:\n  runs: 5\n"))
    assert parse(document) is not None
