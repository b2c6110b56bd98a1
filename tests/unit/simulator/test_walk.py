"""Random walks by midpoint displacement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.walk import bridge, stretch


@given(st.binary(min_size=63, max_size=63), st.integers(0, 63))
def test_stretch_is_the_part_of_the_bridge(digest: bytes, part: int):
    """Looking up one part gives the points that building the whole bridge gives."""
    whole = bridge(0.0, 0.0, digest, 0.01)
    assert stretch(digest, 0.01, part) == (whole[part], whole[part + 1])


@given(st.floats(-9, 9), st.floats(-9, 9), st.binary(min_size=7, max_size=7))
def test_bridge_joins_its_ends(start: float, end: float, digest: bytes):
    """A bridge begins and ends where it was asked to, with a point at each eighth between."""
    points = bridge(start, end, digest, 0.01)
    assert len(points) == 9
    assert (points[0], points[-1]) == (start, end)


def test_digest_in_the_middle_moves_nothing():
    """Bytes of 127 and 128 move a straight line by half a unit at most."""
    assert bridge(0.0, 8.0, b"\x80" * 7, 0.0) == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7, 8])
