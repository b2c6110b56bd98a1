"""Keeps the memory of the process small, which otherwise contains what only its start needed."""

import ctypes
import gc
from typing import Final

#: Heaps of the C library. By default there are up to eight per core, and each keeps what its threads have freed.
_HEAPS: Final = 2
#: Bytes from which a block is mapped separately, so that the system gets it back when it is freed. By default, the
#: limit grows with the blocks that are freed, and then answers of several 100 kB leave holes in the heaps.
_MAPPED: Final = 65_536
#: M_ARENA_MAX and M_MMAP_THRESHOLD in malloc.h.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3


def limit_heaps() -> None:
    """Let all threads share two heaps, and keep large blocks out of them. Without glibc, this does nothing."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_ARENA_MAX, _HEAPS)
        library.mallopt(_MMAP_THRESHOLD, _MAPPED)


def release_memory_of_start() -> None:
    """Return the memory that the imports and the models have freed, which is about 4 MB, to the system.

    What remains lives as long as the process, so the garbage collector needs not look at it again.
    """
    gc.collect()
    gc.freeze()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
