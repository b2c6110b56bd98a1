"""The output of commands: results as tables or JSON, the formats of times and prices, and the terminal."""
