"""Everything of the scheduler that talks to a Kubernetes API server."""
