"""Tasks of a tier that a user has added by values alone, which tell the end-to-end tests what became of them."""
