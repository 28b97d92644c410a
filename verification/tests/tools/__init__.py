"""Tools of the suite itself: strategies, profiles, replay, what a run covered."""

from verification.optional_packages import require

require("testing", "verification.tests.tools")
