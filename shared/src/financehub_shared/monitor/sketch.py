"""Runtimes in logarithmic buckets: bounded memory, mergeable by addition, known error.

The scheme is that of DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds (GAMMA**(i-1), GAMMA**i] milliseconds,
so any quantile is off by at most (GAMMA - 1) / (GAMMA + 1) = 4.8 % of itself.
"""

import math
from collections.abc import Mapping
from typing import Final

GAMMA: Final = 1.1
RELATIVE_ERROR: Final = (GAMMA - 1) / (GAMMA + 1)
#: Three hours; anything longer counts as this long.
_LONGEST_MS: Final = 10_800_000
LAST_BUCKET: Final = math.ceil(math.log(_LONGEST_MS, GAMMA))


def bucket_of(seconds: float) -> int:
    """Bucket of a runtime; 0 holds everything up to a millisecond."""
    milliseconds = min(seconds * 1_000, _LONGEST_MS)
    return math.ceil(math.log(milliseconds, GAMMA)) if milliseconds > 1 else 0


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """Runtime in seconds that a share `q` of the runs did not exceed; None without runs.

    Args:
        buckets: bucket → how many runs.
        q: 0 … 1.
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(1, math.ceil(q * total))
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            # the point whose relative distance to both ends of the bucket is the same
            return 2 * GAMMA**bucket / (GAMMA + 1) / 1_000
    raise AssertionError("ranks end at the total")
