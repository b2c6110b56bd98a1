"""Tests of the encoded answers that requests share."""

import gzip

from financehub_web.api.bodies import LARGEST_KEPT, MOST_BYTES, Body, BodyCache


def body(content: bytes) -> Body:
    return Body(content, "application/json", 'W/"x"')


def test_answer_is_made_once_for_the_same_readings() -> None:
    """Equal requests share an answer until one of its readings is another one."""
    cache, made = BodyCache(), []

    def make() -> Body:
        made.append(1)
        return body(b"x")

    first = cache.get("/quotes", (1, 2), make)
    assert cache.get("/quotes", (1, 2), make) is first
    assert cache.get("/quotes", (1, 3), make) is not first
    assert cache.get("/assets", (1, 3), make) is not first
    assert len(made) == 3


def test_size_of_all_answers_is_bounded() -> None:
    """Answers that were not used for longest are forgotten, compressed forms count, and large ones are not kept."""
    cache = BodyCache()
    for number in range(3 * MOST_BYTES // 500_000):
        cache.get(number, 1, lambda: body(bytes(500_000))).compressed()
    kept = [each for _, each in cache._bodies.values()]
    assert 0 < sum(each.size for each in kept) <= MOST_BYTES
    assert list(cache._bodies)[-1] == 3 * MOST_BYTES // 500_000 - 1
    cache.get("large", 1, lambda: body(bytes(LARGEST_KEPT + 1)))
    assert "large" not in cache._bodies


def test_compressed_form_is_made_once_and_always_the_same() -> None:
    """The compressed form has no time in it, so that equal answers have equal bytes."""
    first, second = body(b"abc" * 1_000), body(b"abc" * 1_000)
    assert first.compressed() is first.compressed()
    assert first.compressed() == second.compressed()
    assert gzip.decompress(first.compressed()) == first.content
    assert first.can_be_compressed
    assert not body(b"x" * 999).can_be_compressed
