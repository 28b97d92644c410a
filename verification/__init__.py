"""Is it true? Property-based verification of scale-equivariant layers, and verdicts on claims.

Reading claims and records loads neither torch nor kornia: import the instruments by module, for
example `from verification.targets import describe` and `from verification.checks import ...`.
"""
