"""Status of ScheduledTasks, as `kubectl get st` shows it. Only the leader writes it."""
