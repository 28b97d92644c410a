"""What scale-equivariant networks cost and how well they learn: data, recipes, runs, timing."""

import sys

from verification.extras import require

# Asked by the command line alone: a bundle trains on machines that have less.
if sys.argv[0] == "-m" and "benchmarks" in sys.orig_argv:
    require("benchmarks", "benchmarks")
