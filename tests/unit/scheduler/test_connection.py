"""What becomes of a kubeconfig, whatever state it is in."""

from pathlib import Path

import pytest

from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.errors import ConfigError

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: http://localhost
users:
- name: u
  user:
    token: t
contexts:
- name: x
  context:
    cluster: c
    user: u
    namespace: n
current-context: x
"""


async def test_a_file_that_is_being_written_holds_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kubeconfig whatever beginning may be there when it is read, none at all too: that is said, and the whole of
    it is good.
    """
    file = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(file))
    for end in range(len(KUBECONFIG) - len("x\n")):
        file.write_text(KUBECONFIG[:end], encoding="utf-8")
        with pytest.raises(ConfigError, match="--kubernetes: "):
            await Connection.load()
    file.write_text(KUBECONFIG, encoding="utf-8")
    assert (await Connection.load()).namespace == "n"
