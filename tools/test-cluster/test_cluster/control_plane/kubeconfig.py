"""Writes kubeconfig files."""

import json
from collections.abc import Mapping
from pathlib import Path


def write_kubeconfig(path: Path, server: str, authority: Path, user: Mapping[str, str], namespace: str) -> None:
    """Write a kubeconfig with one user, as JSON, which is valid YAML.

    Args:
        path: Path of the file.
        server: URL of the API server, or of a tunnel to it.
        authority: Certificate of the CA that signed the server's certificate.
        user: Entry of the user.
        namespace: Namespace of the context.
    """
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def kubeconfig_for_server(kubeconfig: Path, server: str, name: str = "") -> Path:
    """Write a copy with another address to the same directory and return its path.

    Args:
        kubeconfig: A file that `write_kubeconfig` wrote.
        server: URL of the other address.
        name: Name that the server's certificate must have, if it is not the host of the address.
    """
    content = json.loads(kubeconfig.read_text(encoding="utf-8"))
    content["clusters"][0]["cluster"] |= {"server": server} | ({"tls-server-name": name} if name else {})
    path = kubeconfig.with_name(f"{kubeconfig.stem}-{server.rpartition(':')[2]}.kubeconfig")
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path
