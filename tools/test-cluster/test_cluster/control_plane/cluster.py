"""Client of a running control plane."""

import json
import os
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import KUBECTL
from test_cluster.control_plane.audit import read_audit
from test_cluster.control_plane.kubeconfig import write_kubeconfig
from test_cluster.control_plane.rbac import grant
from test_cluster.control_plane.tokens import User

_KUBECTL_SECONDS = 240


class Cluster:
    """Access to a control plane, without control of its processes.

    Args:
        directory: Directory of the control plane.
        server: URL of the API server.
    """

    def __init__(self, directory: Path, server: str) -> None:
        self.directory = directory
        self.server = server
        self._pki = directory / "pki"
        # A separate home for each process, so that kubectl processes do not share a discovery cache.
        self._home = directory / "homes" / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._home.mkdir(parents=True)
        #: Kubeconfig of the administrator.
        self.kubeconfig = self._home / "admin.kubeconfig"
        certificate = {
            "client-certificate": str(self._pki / "admin.crt"),
            "client-key": str(self._pki / "admin.key"),
        }
        write_kubeconfig(self.kubeconfig, server, self._pki / "ca.crt", certificate, "default")
        tls = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
        tls.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        self._http = httpx.Client(base_url=server, verify=tls, timeout=120, trust_env=False)

    def close(self) -> None:
        """Close the administrator's connections."""
        self._http.close()

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **params: str
    ) -> Any:
        """Send a request as the administrator. This takes 1 % of the time of a kubectl command.

        Args:
            method: HTTP method.
            path: Absolute path.
            body: Body, which is sent as JSON.
            content_type: Type of the body. It decides how a PATCH is applied.
            params: Query parameters.

        Returns:
            The JSON response.

        Raises:
            httpx.HTTPStatusError: The request was refused. The message contains the response text.
        """
        content = None if body is None else json.dumps(body)
        answer = self._http.request(
            method, path, content=content, params=params, headers={"Content-Type": content_type}
        )
        if answer.is_error:
            message = f"{method} {path}: {answer.status_code} {answer.text}"
            raise httpx.HTTPStatusError(message, request=answer.request, response=answer)
        return answer.json()

    def ready(self) -> bool:
        """Whether the API server reports that it is ready."""
        try:
            return self._http.get("/readyz", timeout=2).is_success
        except httpx.TransportError:
            return False

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl.

        Args:
            arguments: Arguments of kubectl.
            stdin: Standard input, for `-f -`.
            check: Whether a kubectl error fails the test, with kubectl's output.
            kubeconfig: The user's kubeconfig. The default is the administrator's.
        """
        done = subprocess.run(
            [program(KUBECTL), *arguments],
            input=stdin,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self._home),
                "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            },
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done

    def create_namespace(self, prefix: str = "test") -> str:
        """Create a namespace with a unique name, and return the name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def user(
        self,
        namespace: str,
        name: str,
        rules: Sequence[Mapping[str, Any]] = (),
        *,
        cluster_rules: Sequence[Mapping[str, Any]] = (),
    ) -> User:
        """Create a service account with the given rights and a token that is valid for an hour.

        Args:
            namespace: Namespace of the account.
            name: Name of the account, which may already exist.
            rules: RBAC rules in the namespace.
            cluster_rules: RBAC rules in all namespaces.
        """
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        account = self.request(
            "PATCH",
            f"{accounts}/{name}",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            content_type="application/apply-patch+yaml",
            fieldManager="tests",
        )
        if rules:
            grant(self.request, namespace, name, rules)
        if cluster_rules:
            grant(self.request, namespace, name, cluster_rules, everywhere=True)
        kubeconfig = self._home / f"{namespace}-{name}.kubeconfig"
        user = User(
            name=f"system:serviceaccount:{namespace}:{name}",
            namespace=namespace,
            kubeconfig=kubeconfig,
            token=kubeconfig.with_suffix(".token"),
            key=self._pki / "sa.key",
            uid=account["metadata"]["uid"],
        )
        user.login()
        write_kubeconfig(kubeconfig, self.server, self._pki / "ca.crt", {"tokenFile": str(user.token)}, namespace)
        return user

    def audit(self, user: str | None = None) -> Iterator[dict[str, Any]]:
        """Return one audit log record for each request so far, in order.

        Args:
            user: `User.name`, to return only this user's requests. Requests with refused credentials have no user.
        """
        records = read_audit(self.directory / "audit.log")
        return (record for record in records if user is None or record["user"].get("username") == user)
