"""Kubernetes Events: what happened to a ScheduledTask, for `kubectl describe`."""
