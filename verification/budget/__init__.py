"""The error budget: where the equivariance error of a layer comes from, part by part.

Let Y_k(σ, p; f) be what one model of a layer answers to f at scale σ and position p, and let each
model have one more property of a real layer than the one before:

    0  continuum    integrals over the plane, all K_S input scales
    1  plane        sums over all pixels of the plane
    2  grid         every filter cut to its own support
    3  image        what lies outside a finite image counts as zero
    4  scale axis   input scales above the largest count as zero
    5  layer        the layer itself, in its working precision

For a fine scale σ and a coarse one sσ the error of model k is the vector, over points and channels,

    E_k = Y_k(sσ, s·p; L_s f) − Y_k(σ, p; f),

where theory says E_0 = 0 (SESN, section 3) and E_5 is the error of the layer. The parts are

    sampling E_1 − E_0,  truncation E_2 − E_1,  border E_3 − E_2,  scale axis E_4 − E_3,
    precision E_5 − E_4.

One cause each, so each vanishes with it, and as vectors they add up to the error. All are reported
as squared norms over ‖Y_5(σ, p; f)‖², the divisor of the paper's error Δ. Squared norms of parts
that reinforce or cancel each other do not add up; what does are the *contributions*

    ⟨part, E_5⟩ / ‖Y_5‖²,

which are negative for a part that cancels others. Their sum is Δ up to the rounding in which E_0
was evaluated (`PairBudget.residual`): |Δ − Σ contributions| ≤ √(residual·Δ). Without a layer the
chain ends at model 3 or 4. And always √Δ ≤ Σ √part.

*Rank loss* is a share of sampling and truncation, not a further part. On its small grid the N_b
functions of the fine scale may span fewer than N_b dimensions. Let P project coefficients on those
combinations that vanish there. The fine scale cannot show them, Y_2(σ; Pw) = 0, so all that the
coarse scale shows of them is error:

    E_2(w) = E_2(w − Pw) + Y_2(sσ; Pw),   rank = ‖Y_2(sσ; Pw)‖² / ‖Y_5‖².

For independent coefficients of equal variance the two terms are uncorrelated: there the rank loss
is a share of E_2 that can be subtracted.

*Cut off* is how much of the fine response its grid alone leaves out, ‖Y_2 − Y_1‖²/‖Y_5‖². Filters
cut at one multiple of σ, ψ_σ(t)·[|t| ≤ ρσ], obey ψ_σ(t) = σ⁻² ψ(t/σ) as whole ones do, so between
scales whose supports are the same multiple of σ nearly all of what is cut off cancels.

`pair_budget` needs the filters alone (models 0 to 3), `verification.budget.layers` a real layer,
`predict_budgets` and `recommend_support` no more than scales and support; the last two are also
`python -m verification budget`.
"""

from verification.budget.filters import (
    basis_ranks,
    grid_responses,
    invisible_directions,
    pair_budget,
)
from verification.budget.parts import PARTS, PairBudget, mean_budget
from verification.budget.recommend import (
    Choice,
    Recommendation,
    SupportScan,
    recommend_support,
)
from verification.budget.signals import SIGNALS, Draw, SignalKind, predict_budgets

__all__ = [
    "PARTS",
    "SIGNALS",
    "Choice",
    "Draw",
    "PairBudget",
    "Recommendation",
    "SignalKind",
    "SupportScan",
    "basis_ranks",
    "grid_responses",
    "invisible_directions",
    "mean_budget",
    "pair_budget",
    "predict_budgets",
    "recommend_support",
]
