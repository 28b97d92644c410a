"""What scale-equivariant networks cost and how well they learn: data, recipes, runs, timing."""

from verification.extras import require

require("benchmarks", "benchmarks")
