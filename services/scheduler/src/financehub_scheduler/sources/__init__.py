"""Where schedules come from; the engine knows none of these modules."""
