"""Tools of the suite itself: strategies, profiles, replay, what a run covered."""
