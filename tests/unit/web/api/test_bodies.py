"""Tests of the encoded answers that requests share."""

import gzip

from financehub_web.api.bodies import LARGEST_KEPT, MOST_BODIES, MOST_BYTES, Body, BodyCache, RequestKey


def body(content: bytes) -> Body:
    return Body(content, "application/json", 'W/"x"')


def key(number: int, parameters: str = "{}") -> RequestKey:
    return RequestKey(f"/{number}", parameters, is_csv=False)


def test_answer_is_made_once_for_the_same_readings() -> None:
    """Equal requests share an answer until one of its readings is another one."""
    cache, made = BodyCache(), []

    def make() -> Body:
        made.append(1)
        return body(b"x")

    first = cache.get(key(1), (1, 2), make)
    assert cache.get(key(1), (1, 2), make) is first
    assert cache.get(key(1), (1, 3), make) is not first
    assert cache.get(key(2), (1, 3), make) is not first
    assert len(made) == 3


def test_size_of_all_answers_is_bounded() -> None:
    """Answers that were not used for longest are forgotten, compressed forms count, and large ones are not kept."""
    cache = BodyCache()
    count = 3 * MOST_BYTES // 500_000
    for number in range(count):
        cache.get(key(number), 1, lambda: body(bytes(500_000))).compressed()
    assert 0 < cache.size <= MOST_BYTES
    made: list[int] = []
    cache.get(key(count - 1), 1, lambda: made.append(1) or body(b""))  # type: ignore[func-returns-value]
    assert not made
    kept = len(cache)
    cache.get(key(-1), 1, lambda: body(bytes(LARGEST_KEPT + 1)))
    assert len(cache) == kept


def test_number_of_answers_and_the_memory_of_their_requests_are_bounded() -> None:
    """Many small answers, and requests with long parameters, count with what they take."""
    cache = BodyCache()
    for number in range(2 * MOST_BODIES):
        cache.get(key(number), 1, lambda: body(b"x"))
    assert len(cache) == MOST_BODIES
    for number in range(MOST_BODIES):
        cache.get(key(number, str(number) * 10_000), 1, lambda: body(b"x"))
    assert len(cache) < MOST_BYTES / 10_000


def test_compressed_form_is_made_once_and_always_the_same() -> None:
    """The compressed form has no time in it, so that equal answers have equal bytes."""
    first, second = body(b"abc" * 1_000), body(b"abc" * 1_000)
    assert first.compressed() is first.compressed()
    assert first.compressed() == second.compressed()
    assert gzip.decompress(first.compressed()) == first.content
    assert first.can_be_compressed
    assert not body(b"x" * 999).can_be_compressed
