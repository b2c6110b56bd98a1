"""Tests of JSON answers in which single elements are not JSON."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.transport import strict_json
from financehub_shared.providers.transport.damaged_json import Damaged
from support.mutations import BROKEN_TEXTS

GOOD = {"url": "https://a.test", "n": 1}


def loads(body: bytes, key: str = "") -> Any:
    return strict_json.loads("upstream", body, key)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
elements = st.dictionaries(texts, texts | st.integers() | st.none() | st.lists(texts, max_size=2), max_size=3)


@settings(max_examples=60)
@given(st.lists(elements, min_size=1, max_size=5), st.data())
def test_one_broken_element_is_lost_and_all_others_are_as_sent(good: list[dict[str, Any]], data: st.DataObject):
    """Wherever a broken text is placed among elements with any texts, the other elements are as sent (N9, D9, I4)."""
    place = data.draw(st.integers(0, len(good)))
    broken = data.draw(st.sampled_from([text for name, text in BROKEN_TEXTS.items() if "raw" not in name]))
    parts = [json.dumps(element).encode() for element in good]
    parts.insert(place, b'{"title":' + broken + b',"n":1}')
    body = b'{"status": "ok", "articles": [' + b" ,\n".join(parts) + b'], "more": {"a": [1]}}'
    document = loads(body, "articles")
    kept = [element for element in document["articles"] if not isinstance(element, Damaged)]
    if b"\xff" in broken:  # this byte costs one character of the title only
        kept.pop(place)
    assert kept == good
    assert (document["status"], document["more"]) == ("ok", {"a": [1]})


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (rb'"\u p"', r"invalid \uXXXX escape at character 7"),
        (rb'"a\ b"', r"invalid \escape at character 7"),
        (b"NaN", "NaN is not a number"),
        (b"-Infinity", "-Infinity is not a number"),
        (b"9" * 5_000, "a number has too many digits"),
        (b"1e" + b"9" * 30, "a number has too many digits"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"", "expecting value at character 5"),
    ],
)
def test_damaged_element_says_what_is_wrong_with_it(broken: bytes, problem: str):
    """The problem names the position within the element and never quotes it."""
    document = loads(b'[{"n":1},{"t":' + broken + b'},{"n":2}]')
    assert (document[0], document[2]) == ({"n": 1}, {"n": 2})
    assert document[1].problem == problem
    assert document[1].text == '{"t":' + broken.decode() + "}"


def test_member_of_an_object_is_lost_alone():
    """The elements may also be the members of an object, such as Kraken's tickers."""
    document = loads(b'{"error":[],"result":{"A":{"c":["1"]},"B":{"c":[NaN]},"C":{"c":["3"]}}}', "result")
    assert document["result"] == {
        "A": {"c": ["1"]},
        "B": Damaged('"B":{"c":[NaN]}', "NaN is not a number"),
        "C": {"c": ["3"]},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'{"p":1,"p":2}', None), (b'{"p":1,"p":1.0}', 1), (b'{"p":null,"p":1}', None), (b'{"p":{"a":1,"a":2}}', None)],
)
def test_key_with_different_values_is_damaged(text: bytes, value: object):
    """Nothing shows which value of a repeated key is right, so none of them is used (D9). Equal ones count as one."""
    for found in (loads(b'[{"n":1},' + text + b"]")[1], strict_json.load_figures("upstream", text)):
        price = found["p"].get("a") if isinstance(found["p"], dict) else found["p"]
        assert price == value or (value is None and "more than once" in price.problem)


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("parts", [b'[1,{"a":1}]', b'[{"a":1},{"a":2},{"a":3}]', b'{"a":[{"b":[1,{"c":1}]},{"b":2}]}'])
@pytest.mark.parametrize("broken", [b"NaN", rb'"\u p"', b'"x', b'"},{"'])
def test_damaged_element_with_nested_elements_costs_no_other_one(broken: bytes, parts: bytes, place: int):
    """D9: objects within a damaged element look like its neighbors, but the answer does not end after them."""
    texts = [b'{"n":%d,"parts":%b}' % (number, parts) for number in range(5)]
    texts[place] = b'{"n":%b,"parts":%b}' % (broken, parts)
    good = [json.loads(text) for number, text in enumerate(texts) if number != place]
    for key, body in (("", b"[" + b",".join(texts) + b"]"), ("x", b'{"x":[' + b",".join(texts) + b'],"y":[{"n":1}]}')):
        document = loads(body, key)
        found = document[key] if key else document
        assert [element for element in found if element in good] == good


@pytest.mark.parametrize(
    "body",
    [
        b'[{"n":1},{"n":NaN}',
        b'[{"n":1},{"n":"abc',
        b'[{"n":NaN}]',
        b'[{"n":NaN},{"n":NaN}]',
        b'[{"n":1},{"n":NaN}] and more',
        b'[{"n":1},' + b'{"n":NaN},' * 300 + b'{"n":2}]',
        b"NaN",
        b"",
        b"\xff\xfe",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_answer_whose_loss_cannot_be_named_is_malformed(body: bytes):
    """A cut end, damage around the elements, damage everywhere or no intact element makes the answer malformed (I6)."""
    with pytest.raises(MalformedError):
        loads(body)


def test_damage_around_the_elements_is_malformed():
    """Only elements may be damaged: an error code that is not JSON could be one that matters."""
    with pytest.raises(MalformedError):
        loads(b'{"result":[{"n":1},{"n":NaN}],"error":NaN}', "result")


def test_intact_answer_is_parsed_as_a_whole():
    """Without damage, the key of the elements has no effect."""
    assert loads(b'{"articles": 5}', "articles") == {"articles": 5}
    assert loads(b'[{"n": 1}]') == [{"n": 1}]


HOSTILE = {
    "deep": b"[{}," + b'{"a":' * 1_600_000,
    "open elements": b"[{}," + b',{"' * 2_600_000 + b"]",
    "open texts": b'[{},{"a":"x' + b',{"a":"x' * 1_000_000 + b"]",
    "backslashes": b'[{},{"a":"' + b'\\",{"b":' * 800_000 + b"]",
    "closing brackets": b"[{},{" + b"]" * 8_000_000,
    "nested elements": b'[{},{"a":NaN' + b',{"a":1}]' * 900_000 + b"]",
    "long elements": b"[{}," + (b',{"a":["' + b"x" * 40_000) * 200 + b"]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answer_of_the_largest_size_takes_little_cpu(name: str):
    """Eight megabytes of damage are refused or read in less than two seconds of CPU."""
    started = time.process_time()
    with contextlib.suppress(MalformedError):
        loads(HOSTILE[name])
    assert time.process_time() - started < 2
