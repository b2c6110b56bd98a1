"""Client of the Kubernetes API: connection and requests."""
