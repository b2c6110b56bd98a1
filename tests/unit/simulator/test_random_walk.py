"""Tests of random walks by midpoint displacement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.random_walk import bridge, bridge_segment


@given(st.binary(min_size=63, max_size=63), st.integers(0, 63))
def test_bridge_segment_equals_that_segment_of_the_bridge(digest: bytes, segment: int):
    """Computing one segment yields the same points as computing the whole bridge."""
    points = bridge(0.0, 0.0, digest, 0.01)
    assert bridge_segment(digest, 0.01, segment) == (points[segment], points[segment + 1])


@given(st.floats(-9, 9), st.floats(-9, 9), st.binary(min_size=7, max_size=7))
def test_bridge_connects_its_ends(start: float, end: float, digest: bytes):
    """A bridge starts and ends at the given points, with one point at each eighth in between."""
    points = bridge(start, end, digest, 0.01)
    assert len(points) == 9
    assert (points[0], points[-1]) == (start, end)


def test_bridge_with_zero_amplitude_is_a_straight_line():
    """Without amplitude, the points of a bridge lie on a straight line."""
    assert bridge(0.0, 8.0, b"\x80" * 7, 0.0) == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7, 8])
