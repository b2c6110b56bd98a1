"""Sets how often a worker looks for unreachable cycles of objects."""

import gc
from typing import Final

#: Number of objects that Python creates before it looks for cycles. An answer with 500 daily bars has 500 lists, so the
#: default of 700 starts a search for each answer, which took a sixth of the CPU time to fetch bars. Cycles are rare,
#: mostly exceptions with their tracebacks, so the larger number delays the release of less than 1 MB.
OBJECTS_BEFORE_COLLECTION: Final = 10_000


def limit_collections() -> None:
    """Look for cycles after `OBJECTS_BEFORE_COLLECTION` new objects, and never in what the start has created."""
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    gc.collect()
    gc.freeze()
