"""`make binaries`: build what the tests of the operator need and this machine lacks."""

import sys

from support.binaries.builder import BuildError, build
from support.binaries.catalogue import CONTROL_PLANE
from support.binaries.finder import find, go, lacking


def _main() -> str | None:
    missing = [program for program in CONTROL_PLANE if find(program) is None]
    if not missing:
        return None
    compiler = go()
    # minutes of building are in vain where the rest cannot be had
    if compiler is None or any(program.project is None for program in missing):
        return f"binaries: {lacking(CONTROL_PLANE)}"
    try:
        for program in missing:
            build(program, compiler)
    except BuildError as error:
        return f"binaries: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main())
