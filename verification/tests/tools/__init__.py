"""Tools of the suite itself: strategies, profiles, replay, what a run covered."""

from verification.extras import require

require("testing", "verification.tests.tools")
