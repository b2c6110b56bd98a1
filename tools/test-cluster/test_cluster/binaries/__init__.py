"""Other projects' programs that the tests run, in pinned versions. They are found or built from Go modules."""
