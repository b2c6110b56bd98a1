"""Loading of kubeconfig files in any state."""

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


async def test_load_with_partly_written_kubeconfig_raises_config_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubeconfig that is truncated at any position, or empty, causes a ConfigError. The complete file is accepted."""
    file = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(file))
    for end in range(len(KUBECONFIG) - len("x\n")):
        file.write_text(KUBECONFIG[:end], encoding="utf-8")
        with pytest.raises(ConfigError, match="--kubernetes: "):
            await Connection.load()
    file.write_text(KUBECONFIG, encoding="utf-8")
    assert (await Connection.load()).namespace == "n"
