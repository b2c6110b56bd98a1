"""What the faults act on, and the operations that several of them share."""

import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e.cluster import eventually
from soak.site import Pod, Site
from test_cluster.node.layout import Layout
from test_cluster.node.processes import pid_of

#: Seconds within which a pod that was killed or restarted must be back.
RECOVERY_SECONDS = 240.0
API_PORT = 6443
#: A link with this rate holds a burst of replies for up to 400 ms. Kernels without the module netem have this one too.
_SLOW = ("tbf", "rate", "2mbit", "burst", "16kb", "latency", "400ms")
#: Share of packets that a slow link loses.
_LOSS = "0.02"


@dataclass
class World:
    """The cluster, as the faults see it.

    Args:
        site: The release.
        layout: Files of the node, whose servers some faults stop.
        random: Decides everything that is drawn.
        stop: If it is set, waits end early.
        hit: Names of the pods that the current fault has hit.
        note: What the current fault has chosen, for the log.
        journal: Gets the names of pods when they are hit.
    """

    site: Site
    layout: Layout
    random: random.Random
    stop: threading.Event
    hit: set[str] = field(default_factory=set)
    note: str = ""
    journal: Callable[[Iterable[str]], None] = lambda _: None

    def hits(self, *pods: str) -> None:
        """Record that the current fault hits pods, which alone excuse repeated runs.

        Args:
            pods: Their names.
        """
        if not self.hit.issuperset(pods):
            self.hit.update(pods)
            self.journal(pods)

    def wait(self, low: float, high: float | None = None) -> None:
        """Keep a fault active for some seconds.

        Args:
            low: Seconds, or the fewest of them.
            high: The most seconds, if the number is drawn.
        """
        self.stop.wait(low if high is None else self.random.uniform(low, high))

    def newest(self, component: str) -> Pod:
        """Return the newest ready pod of a component as the target.

        Faults that end a process choose it, so that the oldest one lives through all other faults, and shows for a long
        time whether it grows.
        """
        return self._target(self._ready(component)[-1])

    def any(self, component: str) -> Pod:
        """Return a ready pod of a component as the target."""
        return self._target(self.random.choice(self._ready(component)))

    def one_of(self, components: tuple[str, ...]) -> str:
        """Return one of several components."""
        return self.random.choice(components)

    def _ready(self, component: str) -> list[Pod]:
        # The kubelet may find a pod not ready for a moment after the recovery, such as after its own restart.
        return eventually(lambda: self.site.ready(component), f"a pod of {component} is ready", RECOVERY_SECONDS)

    def _target(self, pod: Pod) -> Pod:
        self.hits(pod.name)
        self.note = pod.name
        return pod

    def delete(self, pod: Pod, *options: str) -> None:
        """Delete a pod without waiting until it is gone."""
        self.site.release.kubectl("delete", "pod", pod.name, "--wait=false", *options)

    def kill_pod(self, pod: Pod) -> None:
        """Delete a pod without a grace period, so that its processes get SIGKILL."""
        self.delete(pod, "--grace-period=0", "--force")

    def signal(self, pod: Pod, number: int, *, children: bool = False) -> None:
        """Send a signal to the processes of a pod.

        Args:
            pod: The pod.
            number: The signal.
            children: Whether only the processes that the first one has started get it; otherwise, all get it.
        """
        for process in self.site.processes(pod):
            if not (children and process.is_main):
                _send(process.pid, number)

    @contextmanager
    def stopped(self, pod: Pod) -> Iterator[None]:
        """Stop all processes of a pod during the block, as a machine that hangs does."""
        self.signal(pod, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(pod, signal.SIGCONT)

    @contextmanager
    def cut_off(self, pod: Pod, *ports: int) -> Iterator[None]:
        """Drop all packets between a pod and some ports during the block, in both directions.

        Args:
            pod: The pod.
            ports: Ports of servers. Those of the pod itself count too.
        """
        rules = [
            ("-I", chain, "-p", "tcp", side, str(port), "-j", "DROP")
            for port in ports
            for chain in ("INPUT", "OUTPUT")
            for side in ("--sport", "--dport")
        ]
        pid = self.site.processes(pod)[0].pid
        with self._namespace(pid) as inside:
            for rule in rules:
                _run(*inside, "iptables", "-w", *rule)
            try:
                yield
            finally:
                for rule in rules:
                    _run(*inside, "iptables", "-w", "-D", *rule[1:])

    @contextmanager
    def slow_network(self, pod: Pod) -> Iterator[None]:
        """Limit and delay what a pod sends, and lose some of what it gets, during the block."""
        pid = self.site.processes(pod)[0].pid
        loss = ("INPUT", "!", "-i", "lo", "-m", "statistic", "--mode", "random", "--probability", _LOSS, "-j", "DROP")
        with self._namespace(pid) as inside:
            _run(*inside, "tc", "qdisc", "replace", "dev", "eth0", "root", *_SLOW)
            _run(*inside, "iptables", "-w", "-I", *loss)
            try:
                yield
            finally:
                _run(*inside, "iptables", "-w", "-D", *loss)
                _run(*inside, "tc", "qdisc", "delete", "dev", "eth0", "root")

    @contextmanager
    def _namespace(self, pid: int) -> Iterator[tuple[str, ...]]:
        """Give a prefix for commands in a pod's network. An open file keeps it while the processes are replaced."""
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            yield ("nsenter", f"--net=/proc/{os.getpid()}/fd/{descriptor}", "--")
        finally:
            os.close(descriptor)

    @contextmanager
    def server_stopped(self, name: str) -> Iterator[None]:
        """Stop a server of the node during the block.

        Args:
            name: Its name in the node, such as `etcd`.
        """
        pid = pid_of(self.layout, name)
        assert pid is not None, f"{name} does not run"
        self.note = name
        _send(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _send(pid, signal.SIGCONT)

    def kill_server(self, name: str) -> None:
        """Kill a server of the node."""
        pid = pid_of(self.layout, name)
        assert pid is not None, f"{name} does not run"
        self.note = name
        _send(pid, signal.SIGKILL)
        eventually(lambda: pid_of(self.layout, name) is None, f"{name} has ended", 20)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # The process has ended by itself, such as a child whose parent was killed first.
        return


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
