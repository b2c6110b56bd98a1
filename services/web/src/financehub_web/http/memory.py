"""Keeps the memory of the process small, which otherwise contains what only its start needed."""

import ctypes
import gc
from typing import Final

#: Heaps of the C library. By default there are up to eight per core, and each keeps what its threads have freed.
_HEAPS: Final = 2
#: M_ARENA_MAX in malloc.h.
_ARENA_MAX: Final = -8


def limit_heaps() -> None:
    """Let all threads share two heaps. Without glibc, this does nothing."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_ARENA_MAX, _HEAPS)


def release_memory_of_start() -> None:
    """Return the memory that the imports and the models have freed, which is about 4 MB, to the system.

    What remains lives as long as the process, so the garbage collector needs not look at it again.
    """
    gc.collect()
    gc.freeze()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
