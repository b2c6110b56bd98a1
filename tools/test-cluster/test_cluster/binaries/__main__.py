"""`make binaries`, `make cluster`: build what the tests need and this machine lacks."""

import sys

from test_cluster.binaries.builder import BuildError, build
from test_cluster.binaries.finder import find, go, lacking
from test_cluster.binaries.programs import CONTROL_PLANE, NODE, TOOLS

#: `python -m test_cluster.binaries NAME` → what it provides.
_GROUPS = {"control-plane": CONTROL_PLANE, "tools": TOOLS, "node": (*CONTROL_PLANE, *NODE, *TOOLS)}


def _main(name: str) -> str | None:
    programs = _GROUPS[name]
    missing = [program for program in programs if find(program) is None]
    if not missing:
        return None
    compiler = go()
    # minutes of building are in vain where the rest cannot be had
    if compiler is None or any(program.project is None for program in missing):
        return f"binaries: {lacking(programs)}"
    try:
        for program in missing:
            build(program, compiler)
    except BuildError as error:
        return f"binaries: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
