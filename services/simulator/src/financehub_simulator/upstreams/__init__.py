"""The simulated upstreams, each in one or several modules."""
