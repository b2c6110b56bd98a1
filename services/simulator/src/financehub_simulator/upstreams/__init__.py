"""The simulated upstreams, one module or several per upstream."""
