"""A real Kubernetes node on this machine, without an image registry: `make cluster`, `make cluster-down`.

Its programs are built from Go modules (`support.binaries`), its images come from a local engine. It lives in a network
namespace of its own, in addresses that are never routed: nothing leaves the machine, and what talks to the cluster runs
inside (`python -m e2e.node in COMMAND …`). Linux, root, Debian's containerd, runc, CNI plugins, etcd and iptables.
"""
