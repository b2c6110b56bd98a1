"""The status of ScheduledTasks, which `kubectl get st` shows. Only the leader writes it."""
