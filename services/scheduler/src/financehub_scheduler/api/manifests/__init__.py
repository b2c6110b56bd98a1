"""What is applied to a cluster, made from the models and the catalogue; the scheduler itself does not need it."""
