"""The report: `REPORT.md` and its figures, made of claims and records alone.

Nothing here measures anything, and nothing here loads a network: the same claims and the same
records give the same bytes, on any machine and at any time.
"""

import os

from verification.optional_packages import require

# Figures are files. The user's own backend (of a notebook, say) may not be importable here, and
# matplotlib refuses to be imported then.
os.environ["MPLBACKEND"] = "agg"
require("reports", "reports")
