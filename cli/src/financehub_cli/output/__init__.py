"""Command output: results as tables or JSON, time and price formats, and the terminal."""
