"""What scale-equivariant networks cost and how well they learn: data, recipes, runs, timing."""
