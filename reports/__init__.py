"""The report: `REPORT.md` and its figures, made of claims and records alone.

Nothing here measures anything, and nothing here loads a network: the same claims and the same
records give the same bytes, on any machine and at any time.
"""
