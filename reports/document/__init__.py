"""Assembles, writes and checks the report, and measures samples of its records again."""
