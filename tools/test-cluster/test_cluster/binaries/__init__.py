"""Programs of other projects that the tests run, in pinned versions. They are found, or built from Go modules."""
