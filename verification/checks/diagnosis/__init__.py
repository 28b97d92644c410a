"""What a layer with the wrong answers does instead: mistakes that are named by their filters.

A layer that is linear is known by its answers to single pixels: those are its filters. There are
two yardsticks for them, and both have the same form: what the right filters would become by each of
many simple mistakes, and how much of the difference that explains.

- Filters that are documented (`explain`): the mistake that gives the measured ones is named.
- Filters that nobody has documented (`between_scales`): those of one scale say what those of the
  next should be, by σ⁻²ψ(t/σ).
"""

from verification.checks.diagnosis.against_documentation import explain
from verification.checks.diagnosis.between_scales import diagnose
from verification.checks.diagnosis.causes import CAUSES, Cause
from verification.checks.diagnosis.filters import documented_filters, measure_filters

__all__ = ["CAUSES", "Cause", "diagnose", "documented_filters", "explain", "measure_filters"]
