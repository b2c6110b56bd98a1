"""The parts of the scheduler that talk to a Kubernetes API server."""
