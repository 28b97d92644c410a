"""Whole networks before and after training: whether equivariance lasts.

Layers are equivariant whatever their weights. How far a network of them is, depends on the weights
all the same: training may give weight to the filters that are cut off, or to those that are not. So
the same figures are taken twice, of the network as it is initialised and as it is after training.

    blocks        Δ of what reaches each pool, by the exact probe, for factors of 0.5 to 2
    own steps     Δ of the first layer along its own scale axis, before any maximum
    predictions   share that rescaling leaves as they were, and share that is wrong

One record for each network, of kind "equivariance".
"""

from benchmarks.networks.states import MODELS, SETTINGS, measure

__all__ = ["MODELS", "SETTINGS", "measure"]
