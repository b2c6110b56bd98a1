"""Everything that the tests need to run on a real Kubernetes: programs, control plane, node, images."""
