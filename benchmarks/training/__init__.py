"""Training runs: recipes, the steps of a run, checkpoints, records."""
