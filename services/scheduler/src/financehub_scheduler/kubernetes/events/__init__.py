"""Kubernetes Events about ScheduledTasks, as `kubectl describe` shows them."""
