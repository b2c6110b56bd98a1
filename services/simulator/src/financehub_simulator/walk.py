"""Random walks by midpoint displacement (Lévy's construction of Brownian motion).

Any point of a walk of 4,096 steps costs two hashes instead of a walk from the beginning.
"""

import math

#: Spreads a byte over [-√3, √3]: variance 1.
UNIT = math.sqrt(3) / 127.5
_HALVED = math.sqrt(0.5)


def bridge(start: float, end: float, digest: bytes, amplitude: float) -> list[float]:
    """Points of a path from `start` to `end`, halved as often as the digest (of 2^n - 1 bytes) allows."""
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
        amplitude *= _HALVED
    return points


def stretch(digest: bytes, amplitude: float, part: int) -> tuple[float, float]:
    """Ends of one of the 64 parts of a bridge from 0 to 0: what `bridge` gives, without the other parts."""
    before = after = 0.0
    for level in range(6):
        node = (1 << level) - 1 + (part >> 6 - level)
        middle = (before + after) / 2 + amplitude * (digest[node] - 127.5)
        before, after = (middle, after) if part >> 5 - level & 1 else (before, middle)
        amplitude *= _HALVED
    return before, after
