"""Lets people use the cluster of the tests: a shell with kubectl and helm, and the text that says what to do there."""

import os
import subprocess
from pathlib import Path

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import HELM, KUBECTL
from test_cluster.targets import ExternalTarget, Target

_ROOT = Path(__file__).parents[2]
#: Values for a trial: the simulator, and the Redis image that is in the cluster.
VALUES_FILE = Path(".data/cluster-values.yaml")
_FIRST_STEPS = f"""
The cluster is up. These lines build FinanceHub, install it there, and show what it does:

  make cluster-images
  make cluster-shell
  helm install financehub deploy/helm/financehub -n market --create-namespace -f {VALUES_FILE} --wait
  helm test financehub -n market
  kubectl get pods,scheduledtasks -n market
  kubectl exec -n market deploy/financehub-scheduler -- financehub quotes
  kubectl port-forward -n market svc/financehub-web 8000:80

`make cluster-images` takes about 2 minutes. After a change of the code, run it again, and restart the pods with
`kubectl rollout restart -n market deployment`. `make cluster-shell` opens a shell in which kubectl and helm use this
cluster, and `exit` leaves it. The last line publishes the console at http://localhost:8000/ until you press Ctrl-C.
`helm uninstall financehub -n market` removes the release, and `make cluster-down` removes the cluster.
"""
_FIRST_STEPS_OF_OTHERS = """
The tests use the cluster of E2E_KUBECONFIG, which pulls its images from your registry. The section "In Kubernetes" of
README.md shows how to build and install them. `make cluster-shell` opens a shell in which kubectl and helm use it.
"""


def first_steps(target: Target) -> str:
    """Return the commands that install the chart into a cluster and look at it.

    Args:
        target: The cluster, which is running.
    """
    return _FIRST_STEPS_OF_OTHERS if isinstance(target, ExternalTarget) else _FIRST_STEPS


def environment(target: Target) -> dict[str, str]:
    """Return an environment in which kubectl and helm use a cluster from this machine.

    Args:
        target: The cluster.

    Raises:
        FileNotFoundError: A program is missing.
    """
    folders = [str(program(each).parent) for each in (KUBECTL, HELM)]
    path = os.pathsep.join(dict.fromkeys([*folders, *os.environ.get("PATH", os.defpath).split(os.pathsep)]))
    return {**os.environ, "PATH": path, "KUBECONFIG": str(target.outside_kubeconfig)}


def open_shell(target: Target) -> None:
    """Run a shell with that environment until it ends.

    Args:
        target: The cluster.

    Raises:
        FileNotFoundError: A program is missing, or the cluster is not running.
    """
    if not target.outside_kubeconfig.exists():
        raise FileNotFoundError(f"{target.outside_kubeconfig} is missing; run `make cluster` first")
    shell = os.environ.get("SHELL") or "/bin/sh"
    # Its exit status is the one of the last command in it, which is not an error of this one.
    subprocess.run([shell], cwd=_ROOT, env=environment(target), check=False)
