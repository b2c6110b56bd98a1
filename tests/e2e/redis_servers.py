"""Redis servers that the tests run in the cluster beside a release, as users run them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from e2e.release import Release

_DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"
#: The lists in which the tasks of tests/e2e/research record their runs.
_RECORDS = ("started", "finished")
#: The ACL user of FinanceHub, and the passwords of the servers of a test.
USER, PASSWORD = "financehub", "user-passw0rd"
_ADMIN_PASSWORD = "admin-passw0rd"
SENTINEL_USER, SENTINEL_PASSWORD = "watcher", "sentinel-passw0rd"
MASTER = "prices"
#: The address of the first master, which is the last pod, so that the StatefulSet can be scaled down by it.
FIRST_MASTER = "redis-2"
_SERVERS = 3
_TLS_FILES = ("ca.crt", "tls.crt", "tls.key")
_RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def documented_acl() -> str:
    """Return the rules of FinanceHub's ACL user in docs/redis.md, and those that the tasks of the tests need."""
    (block,) = re.findall(r"```\nACL SETUSER financehub (.*?)```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    rules = " ".join(block.split()).replace(">PASSWORD", f">{PASSWORD}")
    assert PASSWORD in rules
    return f"user {USER} {rules} {' '.join(f'~{key}' for key in _RECORDS)}"


def _configuration(*lines: str) -> str:
    common = (
        *("dir /data", "bind * -::*", "appendonly yes", 'save ""', "maxmemory-policy noeviction"),
        f"user default on >{_ADMIN_PASSWORD} ~* &* +@all",
        documented_acl(),
    )
    return "\n".join([*common, *lines, ""])


#: Starts a server as a replica of FIRST_MASTER. A server that returns after a failover would need the current master.
_START_SERVER = f"""
me=$(hostname).redis.$NAMESPACE.svc.cluster.local
master={FIRST_MASTER}.redis.$NAMESPACE.svc.cluster.local
cp /configuration/redis.conf /data/redis.conf
echo "replica-announce-ip $me" >>/data/redis.conf
[ "$me" = "$master" ] || echo "replicaof $master 6379" >>/data/redis.conf
exec redis-server /data/redis.conf
"""
_START_SENTINEL = f"""
me=$(hostname).redis.$NAMESPACE.svc.cluster.local
cat >/data/sentinel.conf <<END
port 26379
dir /data
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
user default on >{_ADMIN_PASSWORD} ~* &* +@all
user {SENTINEL_USER} on >{SENTINEL_PASSWORD} -@all +auth +client +hello +ping +sentinel|get-master-addr-by-name
sentinel sentinel-pass {_ADMIN_PASSWORD}
sentinel monitor {MASTER} {FIRST_MASTER}.redis.$NAMESPACE.svc.cluster.local 6379 2
sentinel auth-pass {MASTER} {_ADMIN_PASSWORD}
sentinel down-after-milliseconds {MASTER} 3000
sentinel failover-timeout {MASTER} 10000
END
until getent hosts {FIRST_MASTER}.redis.$NAMESPACE.svc.cluster.local; do sleep 0.5; done
exec redis-sentinel /data/sentinel.conf
"""


def _container(name: str, image: str, script: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "command": ["sh", "-c", script],
        "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "securityContext": _CONTAINER,
        "volumeMounts": [
            {"name": f"{name}-data", "mountPath": "/data"},
            {"name": "configuration", "mountPath": "/configuration"},
        ],
        **fields,
    }


def _resources(replicas: int, configuration: str, containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    labels = {"app": "redis"}
    volumes: list[dict[str, Any]] = [
        {"name": "configuration", "secret": {"secretName": "redis-configuration"}},
        *({"name": mount["name"], "emptyDir": {}} for each in containers for mount in each["volumeMounts"][:1]),
    ]
    pod = {"securityContext": _RESTRICTED, "enableServiceLinks": False, "terminationGracePeriodSeconds": 0}
    return [
        _secret("redis-configuration", {"redis.conf": configuration}),
        _secret("redis-passwords", {"redis-password": PASSWORD, "redis-sentinel-password": SENTINEL_PASSWORD}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "redis"},
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": labels,
                "ports": [{"name": "redis", "port": 6379}],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "redis"},
            "spec": {
                "replicas": replicas,
                "serviceName": "redis",
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {**pod, "containers": containers, "volumes": volumes},
                },
            },
        },
    ]


def _secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def _apply(release: Release, resources: list[dict[str, Any]]) -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": resources}
    release.kubectl("apply", "-f", "-", stdin=json.dumps(document))


def start_sentinels(release: Release, image: str) -> None:
    """Start three servers, each with a Sentinel, in the namespace of a release. They have no disks.

    Args:
        release: The release, which may not be installed yet.
        image: Image with Redis and Sentinel.
    """
    lines = ("port 6379", f"masterauth {_ADMIN_PASSWORD}", "min-replicas-to-write 1", "repl-diskless-sync-delay 0")
    containers = [_container("server", image, _START_SERVER), _container("sentinel", image, _START_SENTINEL)]
    _apply(release, _resources(_SERVERS, _configuration(*lines), containers))


def sentinel_values(release: Release) -> dict[str, Any]:
    """Return the values of the chart for the servers of `start_sentinels`."""
    nodes = [f"redis-{number}.redis.{release.namespace}.svc.cluster.local" for number in range(_SERVERS)]
    sentinel = {
        "nodes": nodes,
        "master": MASTER,
        "username": SENTINEL_USER,
        "existingSecret": "redis-passwords",
    }
    return {"username": USER, "existingSecret": "redis-passwords", "sentinel": sentinel}


def start_tls_server(release: Release, image: str, folder: Path) -> None:
    """Start a server that accepts only TLS, with a certificate of a new private authority.

    Args:
        release: The release, which may not be installed yet.
        image: Image with Redis.
        folder: Folder for the certificates.
    """
    _certificates(folder, f"redis-0.redis.{release.namespace}.svc")
    files = {name: (folder / name).read_text(encoding="utf-8") for name in _TLS_FILES}
    lines = ("port 0", "tls-port 6380", "tls-auth-clients no", "tls-cert-file /configuration/tls.crt")
    more = ("tls-key-file /configuration/tls.key", "tls-ca-cert-file /configuration/ca.crt")
    container = _container("server", image, "exec redis-server /configuration/redis.conf")
    resources = _resources(1, _configuration(*lines, *more), [container])
    resources[0]["stringData"] |= files
    _apply(release, [*resources, _secret("redis-authority", {"ca.crt": files["ca.crt"]})])


def tls_values(release: Release) -> dict[str, Any]:
    """Return the values of the chart for the server of `start_tls_server`."""
    return {
        "host": f"redis-0.redis.{release.namespace}.svc",
        "port": 6380,
        "username": USER,
        "existingSecret": "redis-passwords",
        "tls": {"enabled": True, "caSecret": "redis-authority"},
    }


def server_cli(release: Release, pod: str, *arguments: str) -> list[str]:
    """Run redis-cli as the administrator of a server, and return the lines of its output."""
    command = ("env", f"REDISCLI_AUTH={_ADMIN_PASSWORD}", "redis-cli", *arguments)
    output: str = release.kubectl("exec", pod, "-c", "server", "--", *command, check=False).stdout
    return output.splitlines()


def _certificates(folder: Path, host: str) -> None:
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-addext", f"subjectAltName=DNS:{host}")
    for arguments in (
        (*new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority"),
        (*new, "-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=redis", *signed),
    ):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
