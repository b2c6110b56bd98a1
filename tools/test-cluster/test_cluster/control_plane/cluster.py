"""A running control plane as its clients see it."""

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

_KUBECTL_SECONDS = 60


class Cluster:
    """Access to a control plane that is not ours to stop.

    Args:
        directory: of the control plane.
        server: URL of the API server.
    """

    def __init__(self, directory: Path, server: str) -> None:
        self.directory = directory
        self.server = server
        self._pki = directory / "pki"
        # clients of different processes share no discovery cache
        self._home = directory / "homes" / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._home.mkdir(parents=True)
        #: Of the administrator.
        self.kubeconfig = self._home / "admin.kubeconfig"
        certificate = {
            "client-certificate": str(self._pki / "admin.crt"),
            "client-key": str(self._pki / "admin.key"),
        }
        write_kubeconfig(self.kubeconfig, server, self._pki / "ca.crt", certificate, "default")
        tls = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
        tls.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        self._http = httpx.Client(base_url=server, verify=tls, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the administrator's connections."""
        self._http.close()

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **params: str
    ) -> Any:
        """Ask the API server as the administrator, which costs a hundredth of a kubectl.

        Args:
            method: of HTTP.
            path: absolute path.
            body: sent as JSON.
            content_type: of the body; decides what a PATCH means.
            params: of the query.

        Returns:
            The answer's JSON.

        Raises:
            httpx.HTTPStatusError: it was refused; the text of the answer is in the message.
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
        """Whether the API server says that it is."""
        try:
            return self._http.get("/readyz", timeout=2).is_success
        except httpx.TransportError:
            return False

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl.

        Args:
            arguments: of kubectl.
            stdin: what it reads from `-f -`.
            check: fail when it fails, with what it said.
            kubeconfig: of whom; the administrator's if not given.
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
        """A namespace that nobody else uses; its name."""
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
        """A service account that may do what it is given, logged in for an hour.

        Args:
            namespace: where it lives.
            name: of the account; one that exists is used as it is.
            rules: RBAC rules within the namespace.
            cluster_rules: RBAC rules everywhere.
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
        """One record of the audit log for each request so far, in order.

        Args:
            user: only of this one, by `User.name`; who was not let in has none.
        """
        records = read_audit(self.directory / "audit.log")
        return (record for record in records if user is None or record["user"].get("username") == user)
