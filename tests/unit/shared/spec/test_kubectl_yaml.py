"""YAML is read as kubectl reads it, so that a document means the same in a folder and in a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.spec.nodes import MAX_DEPTH, MAX_NODES, ReadError, read_nodes
from financehub_shared.spec.plain_data import UnusualError, read_plain

_TABLE = Path(__file__).parents[3] / "fixtures" / "schedules" / "kubectl_scalars.tsv"
ROWS = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def read(text: str) -> Any:
    """Return the data of a document, or `refused`."""
    try:
        root, problems = read_nodes(text)
    except ReadError:
        return "refused"
    return "refused" if problems else root and root.data()


@pytest.mark.parametrize(("scalar", "value", "key"), ROWS, ids=[row[0] for row in ROWS])
def test_scalar_is_read_as_kubectl_reads_it(scalar: str, value: str, key: str) -> None:
    """Each scalar has the value, and as the name of a field the name, that the API server receives from kubectl."""
    found = read(f"a: {scalar}\n")
    assert (found if found == "refused" else json.dumps(found["a"])) == value
    named = read(f"{scalar}: a\n")
    if key in {'".inf"', '"-.inf"', '".nan"'}:  # a number that JSON does not have is refused as a name too
        assert named == "refused"
    else:
        assert (named if named == "refused" else json.dumps(next(iter(named)))) == key


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}, id="anchor"),
        pytest.param("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}, id="anchor that is used again"),
        pytest.param("&q k: *q", {"k": "k"}, id="anchor of a name"),
        pytest.param("*q : 1\n", "refused", id="alias without anchor"),
        pytest.param("a: &a [*a]", "refused", id="alias within its anchor"),
        pytest.param("x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}", {"x": {"a": 1, "b": 2}, "z": {"a": 1, "b": 3}},
                     id="merge"),
        pytest.param("a: 1\n<<: {a: 2, b: 3}", {"a": 2, "b": 3}, id="merge after a field replaces it"),
        pytest.param("<<: [{a: 1}, {a: 2, b: 2}]", {"a": 1, "b": 2}, id="merge of a list"),
        pytest.param("<<: 5", "refused", id="merge of a number"),
        pytest.param("'<<': 5", {"<<": 5}, id="merge in quotes is a name"),
        pytest.param("a: |\n  x\n   y\n", {"a": "x\n y\n"}, id="block"),
        pytest.param("a: |-\n  x\n", {"a": "x"}, id="block without end"),
        pytest.param("a: |\n  x", {"a": "x\n"}, id="block at the end of the file"),
        pytest.param("a: >\n  x\n  y\n", {"a": "x y\n"}, id="folded"),
        pytest.param("a:\tb", {"a": "b"}, id="tab before a value"),
        pytest.param("\ta: b", "refused", id="tab as indentation"),
        pytest.param('{\n\t"a": 1\n}', {"a": 1}, id="tab in JSON"),
        pytest.param("a: 'x\r\n  y'\r\nb: 1\r\n", {"a": "x y", "b": 1}, id="CRLF"),
        pytest.param('{"a": "\\ud83d\\ude00"}', {"a": "😀"}, id="pair of surrogates in JSON"),
        pytest.param('{"a": "\\/"}', {"a": "/"}, id="slash in JSON"),
        pytest.param("? [a]\n: b", "refused", id="list as a name"),
        pytest.param("a: !!set {b}", {"a": {"b": None}}, id="set"),
        pytest.param("a:\n- 1\n-\n- ", {"a": [1, None, None]}, id="empty entries"),
        pytest.param("a: x # c\n# d\nb: x#c", {"a": "x", "b": "x#c"}, id="comments"),
    ],
)  # fmt: skip
def test_document_is_read_as_kubectl_reads_it(text: str, data: Any) -> None:
    """The forms of YAML that are not scalars give what the API server receives too."""
    assert read(text) == data


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\na: 2", "'a' is written twice; remove one", id="duplicate"),
        pytest.param("1: a\n'1': b", "'1' is written twice; remove one", id="duplicate number"),
        pytest.param("y: a\n'true': b", "'true' is written twice; remove one", id="duplicate boolean"),
        pytest.param("a: !foo b", "the tag !foo is not allowed", id="unknown tag"),
        pytest.param("a: !foo {b: 1}", "the tag !foo is not allowed", id="unknown tag of a mapping"),
        pytest.param("a: 1\n...\n--- \nb: 2", "another document begins here", id="second document"),
    ],
)
def test_document_that_kubectl_reads_in_part_is_refused(text: str, problem: str) -> None:
    """Where kubectl silently leaves out what the user wrote, we refuse it."""
    _, problems = read_nodes(text)
    assert any(problem in each for _, each in problems)


@pytest.mark.parametrize(
    ("text", "line", "fix"),
    [
        ("a: 1\nschedule: */5 * * * *", 1, 'put the value in quotes: "*/5 * * * *"'),
        ("schedule: * * * * * # each minute", 0, 'put the value in quotes: "* * * * *"'),
        ("schedule: @every 2m", 0, 'put it in quotes: "@every 2m"'),
        ("schedule: *x", 0, 'quotes if you mean the text: "*x"'),
        ("a: %x", 0, 'put it in quotes: "%x"'),
        ("a: 1\n\tb: 1", 1, "a tab cannot indent; use spaces"),
        ("a: 'x\nb: 1\nc: 2", 0, "the text in quotes is not closed"),
        ("a: [1, 2\nb: 1", 1, "write a comma between its entries, and ] at its end"),
        ("a: 10:30: x", 0, "put the value in quotes"),
        ("%YAML 1.1\n", 0, "begins with % is for directives"),
        ("%YAML 1.3\n---\na: 1", 0, "remove the line that begins with %YAML"),
        ("a: é\nb: \x00", 1, "the character U+0000 is not allowed; remove it"),
        ("a: \ud800", 0, "write the whole character"),
        ("a: 1\n...\nb: 2", 2, "write --- before it"),
        ("[" * 100_000, 0, "write fewer levels"),
        ("- " * 100_000, 0, "write fewer levels"),
        ("a0: &a0 [1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(99)), MAX_DEPTH - 1, "fewer levels"),
    ],
)
def test_syntax_error_names_the_line_and_what_to_write(text: str, line: int, fix: str) -> None:
    """A mistake in the syntax is explained in our words: the line, what is wrong, and what to write."""
    with pytest.raises(ReadError) as caught:
        read_nodes(text)
    assert (caught.value.line, fix in caught.value.problem) == (line, True), caught.value.problem


_PIECES = st.sampled_from(
    ["a", "x: ", "- ", "\n", "\n  ", " ", "'", '"', "|\n", ">\n", "&p ", "*p", "<<: ", "{", "}", "[", "]", ", ", "#c",
     "\t", "\r\n", "!!str ", "!t ", "1", "on", "~", "...", "? ", "%", "@", "é", "\u2028", "\ufeff", "\x00", "\ud800"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    """No text raises another error, and no message has the words of the parser's library."""
    try:
        root, problems = read_nodes(text)
    except ReadError as error:
        problems, root = [(error.line, error.problem)], None
    if root is not None and not problems:
        json.dumps(root.data())
    for line, problem in problems:
        assert 0 <= line <= len(text.splitlines())
        assert not any(word in problem for word in ("while ", "expected", "token", "scanning", "unicode string"))


def _mapping(fields: int, indent: str = "") -> str:
    return "".join(f"{indent}k{number}: v\n" for number in range(fields))


def assert_both_readers_agree(text: str) -> None:
    """Assert that the quick reader gives what the full one gives, or leaves the document to it."""
    try:
        data = read_plain(text)
    except UnusualError:
        return
    root, problems = read_nodes(text)
    assert problems == []
    assert json.dumps(data) == json.dumps(root.data() if root else None)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_quick_reader_of_any_text_agrees_with_the_full_one(text: str) -> None:
    """What the quick reader accepts means the same in both."""
    assert_both_readers_agree(text)


@pytest.mark.parametrize("scalar", [row[0] for row in ROWS])
def test_quick_reader_of_each_scalar_agrees_with_the_full_one(scalar: str) -> None:
    """The same for each scalar, as a value, as an entry and as a name."""
    for text in (f"a: {scalar}\n", f"- {scalar}\n", f"{scalar}: a\n"):
        assert_both_readers_agree(text)


def test_quick_reader_reads_a_usual_document() -> None:
    """A document without anchors, tags and mistakes does not need the full reader."""
    assert read_plain("a: [1, x]\nb: {c: 'y'}\nd: |\n  z\n") == {"a": [1, "x"], "b": {"c": "y"}, "d": "z\n"}


@pytest.mark.parametrize(
    ("largest", "larger"),
    [
        ("- v\n" * (MAX_NODES - 1), "- v\n" * MAX_NODES),
        (_mapping(MAX_NODES // 2 - 1), _mapping(MAX_NODES // 2)),
        ("a:\n" + _mapping(MAX_NODES // 2 - 2, "  "), "a:\n" + _mapping(MAX_NODES // 2 - 1, "  ")),
        ("- a\n" + "- {k: v}\n" * 3_332, "- a\n- a\n" + "- {k: v}\n" * 3_333),
        ("[" * MAX_DEPTH + "v" + "]" * MAX_DEPTH, "[" * (MAX_DEPTH + 1) + "v" + "]" * (MAX_DEPTH + 1)),
        ("{k: " * MAX_DEPTH + "v" + "}" * MAX_DEPTH, "{k: " * (MAX_DEPTH + 1) + "v" + "}" * (MAX_DEPTH + 1)),
        ("[{k: " * 32 + "v" + "}]" * 32, "[{k: " * 32 + "{k: v}" + "}]" * 32),
    ],
    ids=["list", "mapping", "nested mapping", "list of mappings", "lists", "mappings", "both in one another"],
)
def test_both_readers_of_the_largest_document_accept_it_and_refuse_a_larger_one(largest: str, larger: str) -> None:
    """The limits of values and of levels are the same in both readers, whatever the document consists of."""
    root, problems = read_nodes(largest)
    assert root is not None
    assert problems == []
    assert read_plain(largest) == root.data()
    with pytest.raises(ReadError, match="more than"):
        read_nodes(larger)
    with pytest.raises(UnusualError):
        read_plain(larger)
