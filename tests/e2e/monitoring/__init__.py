"""Prometheus, Alertmanager and the CRDs of the Prometheus operator in the cluster, without the operator itself."""
