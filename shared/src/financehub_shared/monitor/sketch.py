"""Stores durations in logarithmic buckets, which need bounded memory, merge by addition and have a known error.

The scheme is that of DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds (GAMMA**(i-1), GAMMA**i] milliseconds,
so any quantile is off by at most (GAMMA - 1) / (GAMMA + 1) = 4.8 % of its value.
"""

import math
from collections.abc import Mapping
from typing import Final

GAMMA: Final = 1.1
RELATIVE_ERROR: Final = (GAMMA - 1) / (GAMMA + 1)
#: Three hours; longer durations count as three hours.
_LONGEST_MS: Final = 10_800_000
LAST_BUCKET: Final = math.ceil(math.log(_LONGEST_MS, GAMMA))


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; bucket 0 holds everything up to a millisecond."""
    milliseconds = min(seconds * 1_000, _LONGEST_MS)
    return math.ceil(math.log(milliseconds, GAMMA)) if milliseconds > 1 else 0


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """Return the duration in seconds that a share `q` of the attempts did not exceed, or None if there are no attempts.

    Args:
        buckets: Number of attempts by bucket.
        q: Share between 0 and 1.
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(1, math.ceil(q * total))
    cumulative = 0
    for bucket in sorted(buckets):
        cumulative += buckets[bucket]
        if cumulative >= rank:
            # The point whose relative distance to both ends of the bucket is the same.
            return 2 * GAMMA**bucket / (GAMMA + 1) / 1_000
    raise AssertionError("the last bucket always reaches the rank")
