"""A real Kubernetes node on this machine: `make cluster` and `make cluster-down`.

Its programs are built from Go modules (`test_cluster.binaries`) and its images come from a local engine, so no image
registry is needed. The node runs in its own network namespace with addresses that are never routed: nothing leaves the
machine, and clients of the cluster run inside (`python -m test_cluster.node in COMMAND …`).
It needs Linux, root and Debian's containerd, runc, CNI plugins, etcd and iptables.
"""
