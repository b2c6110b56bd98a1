"""The Kubernetes API: connection and requests."""
