"""The watch of ScheduledTasks: kopf, its health, and the changes that it delivers to the engine."""
