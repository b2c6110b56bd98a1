"""Batches of bounded size."""

import pytest

from financehub_shared.core.chunks import chunks


@pytest.mark.parametrize(
    ("items", "expected"),
    [([], []), ([1], [[1]]), ([1, 2], [[1, 2]]), ([1, 2, 3], [[1, 2], [3]]), ([1, 2, 3, 4], [[1, 2], [3, 4]])],
)
def test_chunks_of_any_length_keep_all_items_in_order(items: list[int], expected: list[list[int]]):
    """Together, the chunks contain every item once and in order, and only the last chunk may be shorter."""
    assert list(chunks(items, 2)) == expected


def test_chunks_of_generator_reads_only_what_is_needed():
    """A chunk is yielded before later items are read."""
    source = iter(range(10))
    assert next(chunks(source, 3)) == [0, 1, 2]
    assert next(source) == 3
