"""The version, which the pyproject.toml of the workspace owns, and the few files that must repeat it."""

import re
from dataclasses import dataclass
from pathlib import Path

from releasing.errors import ReleaseError

ROOT = Path(__file__).parents[3]
_OWNER = "pyproject.toml"
_OWNED = re.compile(r'^version = "(?P<version>[^"]+)"$', re.MULTILINE)
#: A version of Helm (semantic versioning) that Python's packaging reads in the same way.
_VALID = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A file that repeats the version, because its reader knows nothing of pyproject.toml.

    Args:
        path: The path from the root of the repository.
        pattern: Finds each occurrence. Its group `version` is the version.
    """

    path: str
    pattern: re.Pattern[str]

    def found(self, root: Path) -> list[str]:
        """Return the version at each occurrence.

        Args:
            root: The root of the repository.
        """
        return [match["version"] for match in self.pattern.finditer(self._text(root))]

    def write(self, root: Path, version: str) -> None:
        """Replace the version at each occurrence.

        Args:
            root: The root of the repository.
            version: The new version.
        """

        def replaced(match: re.Match[str]) -> str:
            start, end = match.start("version") - match.start(), match.end("version") - match.start()
            return match[0][:start] + version + match[0][end:]

        (root / self.path).write_text(self.pattern.sub(replaced, self._text(root)), encoding="utf-8")

    def _text(self, root: Path) -> str:
        return (root / self.path).read_text(encoding="utf-8")


_DEFINITION = re.compile(r"^    financehub\.io/version: (?P<version>\S+)$", re.MULTILINE)
#: `make bump` rewrites these. A test compares them with the owner, and finds any other place.
PLACES = (
    Place("deploy/helm/financehub/Chart.yaml", re.compile(r"^(?:version|appVersion): (?P<version>\S+)$", re.MULTILINE)),
    # The example of a chart that depends on this one.
    Place(
        "deploy/helm/financehub/README.md",
        re.compile(r"^    version: (?P<version>\S+)(?=\n    repository:)", re.MULTILINE),
    ),
    Place("README.md", re.compile(r"^FinanceHub (?P<version>\S+) is installed in namespace", re.MULTILINE)),
    # The definition of ScheduledTask states the release to which it belongs.
    Place("deploy/helm/financehub/crds/scheduledtasks.yaml", _DEFINITION),
    Place("deploy/operator/crd.yaml", _DEFINITION),
    Place("docs/openapi.json", re.compile(r'^  "version": "(?P<version>[^"]+)"$', re.MULTILINE)),
)


def read_version(root: Path = ROOT) -> str:
    """Return the version of the workspace, such as `1.2.3`.

    Args:
        root: The root of the repository.

    Raises:
        ReleaseError: The pyproject.toml does not contain exactly one version.
    """
    found = _OWNED.findall((root / _OWNER).read_text(encoding="utf-8"))
    if len(found) != 1:
        raise ReleaseError(f'{_OWNER} contains {len(found)} lines `version = "…"`; write exactly one under [project]')
    return str(found[0])


def bump(version: str, root: Path = ROOT) -> None:
    """Write a new version to its owner and to each file that repeats it.

    Args:
        version: The new version.
        root: The root of the repository.

    Raises:
        ReleaseError: The version has another form than `1.2.3`.
    """
    if not _VALID.fullmatch(version):
        raise ReleaseError(f"the version is {version!r}; write three numbers, such as 1.2.3")
    read_version(root)
    Place(_OWNER, _OWNED).write(root, version)
    for place in PLACES:
        place.write(root, version)
