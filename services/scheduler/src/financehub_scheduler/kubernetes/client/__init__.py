"""The client of the Kubernetes API: connection and requests."""
