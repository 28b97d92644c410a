"""What a layer with the wrong answers does instead of what its documentation says.

A layer that is linear is known by its answers to single pixels: those are its filters. They are
compared with the documented ones, and with what the documented ones would become by each of many
simple mistakes; the mistake that gives the measured filters is named.
"""

from verification.diagnosis.explain import explain
from verification.diagnosis.filters import documented_filters, measure_filters

__all__ = ["documented_filters", "explain", "measure_filters"]
