"""Technical indicators of daily bars: 24 outputs, two engines, one task."""
