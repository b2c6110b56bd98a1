"""Programs of other projects that the tests run, of a version that we pin: found, or built from Go modules."""
