"""Builds the missing programs that tests need, for `make binaries`, `make test` and `make cluster`."""

import sys

from test_cluster.binaries.builder import BuildError, build
from test_cluster.binaries.finder import describe_missing, find, go
from test_cluster.binaries.programs import CONTROL_PLANE, HELM, NODE, TOOLS

#: `python -m test_cluster.binaries NAME` → the programs that it builds.
_GROUPS = {
    "control-plane": CONTROL_PLANE,
    # What `make test` needs. The node's programs begin with it, because the tests may wait for it.
    "tests": (*CONTROL_PLANE, HELM),
    "tools": TOOLS,
    "node": (*CONTROL_PLANE, HELM, *NODE, *TOOLS),
}


def _main(name: str) -> str | None:
    programs = _GROUPS[name]
    missing = [program for program in programs if find(program) is None]
    if not missing:
        return None
    compiler = go()
    # If a missing program cannot be built, minutes of building the others would be wasted.
    if compiler is None or any(program.project is None for program in missing):
        return f"binaries: {describe_missing(programs)}"
    try:
        for program in missing:
            build(program, compiler)
    except BuildError as error:
        return f"binaries: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
