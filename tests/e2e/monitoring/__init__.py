"""Prometheus, Alertmanager and the Prometheus operator's definitions in the cluster, without the operator itself."""
