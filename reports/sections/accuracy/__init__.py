"""Test errors, rankings and trainings."""
