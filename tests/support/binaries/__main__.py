"""`make binaries`: build what the tests of the operator need and this machine lacks."""

import sys

from support.binaries.builder import BuildError, build
from support.binaries.catalogue import CONTROL_PLANE
from support.binaries.finder import find, go, lacking


def _main() -> str | None:
    compiler = go()
    try:
        for program in CONTROL_PLANE:
            if compiler and program.project and not find(program):
                build(program, compiler)
    except BuildError as error:
        return f"binaries: {error}"
    missing = lacking(CONTROL_PLANE)
    return f"binaries: {missing}" if missing else None


if __name__ == "__main__":
    sys.exit(_main())
