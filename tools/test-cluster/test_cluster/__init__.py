"""Everything that the tests need to run on a real Kubernetes: programs, a control plane, a node and images."""
