"""The commands of `make bump`, `make notice`, `make release` and `make wheels`."""

import sys
from pathlib import Path

from releasing import build, notice
from releasing.errors import ReleaseError
from releasing.platforms import missing_wheels
from releasing.version import ROOT, bump

_USAGE = "usage: python -m releasing bump VERSION | notice | build FOLDER [without-sboms] | wheels ARCHITECTURE"


def _main(arguments: list[str]) -> int | str:
    try:
        match arguments:
            case ["bump", version]:
                bump(version)
            case ["notice"]:
                (ROOT / "NOTICE").write_text(notice.render(), encoding="utf-8")
            case ["build", folder, *options] if options in ([], ["without-sboms"]):
                sums = build.build(Path(folder), with_sboms=not options)
                sys.stdout.write(sums.read_text(encoding="utf-8"))
            case ["wheels", architecture]:
                return _wheels(architecture)
            case _:
                return _USAGE
    except ReleaseError as error:
        return f"release: {error}"
    return 0


def _wheels(architecture: str) -> int:
    """Check each requirement file of an image, and return 1 if a distribution has no wheel."""
    code = 0
    for service in sorted((ROOT / "services").iterdir()):
        requirements = ROOT / "requirements" / f"{service.name}.txt"
        if requirements.exists():
            problem = missing_wheels(requirements, architecture)
            sys.stdout.write(f"{service.name}: {problem or f'every distribution can be installed on {architecture}'}\n")
            code = code or int(bool(problem))
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
