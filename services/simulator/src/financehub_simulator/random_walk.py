"""Random walks by midpoint displacement (Lévy's construction of Brownian motion).

Computing any point of a 4,096-step walk takes two hashes and does not require the steps before it.
"""

import math

#: Maps a byte, minus 127.5, to [-√3, √3], so that the result has variance 1.
UNIT_STEP = math.sqrt(3) / 127.5
_SQRT_HALF = math.sqrt(0.5)


def bridge(start: float, end: float, digest: bytes, amplitude: float) -> list[float]:
    """Return the points of a random path from `start` to `end`.

    Args:
        start: First point.
        end: Last point.
        digest: Random bytes, one per inner point. A digest of 2^n - 1 bytes halves the path n times.
        amplitude: Displacement of the middle point per unit of its byte. It shrinks by √2 with every halving.
    """
    points = [start, end]
    position = 0
    while position < len(digest):
        refined = [start]
        before = start
        for after in points[1:]:
            refined += ((before + after) / 2 + amplitude * (digest[position] - 127.5), after)
            before = after
            position += 1
        points = refined
        amplitude *= _SQRT_HALF
    return points


def bridge_segment(digest: bytes, amplitude: float, segment: int) -> tuple[float, float]:
    """Return both ends of one of the 64 segments of `bridge(0, 0, …)` without computing the other segments."""
    before = after = 0.0
    for level in range(6):
        node = (1 << level) - 1 + (segment >> 6 - level)
        middle = (before + after) / 2 + amplitude * (digest[node] - 127.5)
        before, after = (middle, after) if segment >> 5 - level & 1 else (before, middle)
        amplitude *= _SQRT_HALF
    return before, after
