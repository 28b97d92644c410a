"""Judges one layer: an engine that runs the checks, a verdict on what is wrong, ways to ask for it.

    verdict = judge(describe(layer))
    print(verdict)

`verification.check_scale_equivariance` is the front door; `checks.registry.CHECKS` lists checks.
"""
