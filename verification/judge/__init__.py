"""Judges one layer: a registry of checks, an engine that runs them, a verdict on what is wrong.

    verdict = judge(describe(layer))
    print(verdict)

`verification.check_scale_equivariance` is the front door; `registry.CHECKS` lists what is checked.
"""

from verification.judge.engine import UnmatchedExpectationWarning, judge, run_check
from verification.judge.registry import CHECKS, Check
from verification.judge.verdict import Outcome, Status, Verdict

__all__ = [
    "CHECKS",
    "Check",
    "Outcome",
    "Status",
    "UnmatchedExpectationWarning",
    "Verdict",
    "judge",
    "run_check",
]
