"""Time of a forward pass and of a training step, for pytest-benchmark's tables and comparisons.

Each of its rounds times what a model is read beside first, as `measure` does, on all threads. In a
plain test run every function is called once, on a small batch.
"""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing import MODELS
from benchmarks.timing.measure import OWN, beside, check_same_logits
from benchmarks.timing.rounds import WORKS, Timed, interleaved, ratio_of
from benchmarks.training.allocator import keep_freed_memory

BATCH, ROUNDS = 128, 5
THREADS = torch.get_num_threads()


@pytest.fixture
def _like_a_training(benchmark: BenchmarkFixture, _one_thread: None) -> None:
    """All threads, and no page faults: most are where there is most to keep."""
    if benchmark.enabled:
        torch.set_num_threads(THREADS)
        keep_freed_memory()


@pytest.mark.usefixtures("_like_a_training")
@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("model", MODELS)
def test_cost(model: str, work: str, benchmark: BenchmarkFixture) -> None:
    rounds = ROUNDS if benchmark.enabled else 1
    networks = beside(model, BATCH if benchmark.enabled else 4)
    works = {name: network.work(work) for name, network in networks.items()}
    own = works.pop(OWN)
    seconds: dict[str, list[float]] = {name: [] for name in works}

    def time_others() -> None:
        for name, (second,) in interleaved(works, rounds=1, warm_up=False).items():
            seconds[name].append(second)

    result = benchmark.pedantic(own, setup=time_others, rounds=rounds, warmup_rounds=1)
    assert result.isfinite().all()
    benchmark.extra_info["threads"] = torch.get_num_threads()
    if benchmark.stats is not None:
        times = benchmark.stats.stats.data
        ratios = {name: ratio_of(times, others[1:]) for name, others in seconds.items()}
        benchmark.extra_info["ratios"] = ratios


def test_disagreement_is_noticed() -> None:
    """The comparison inside the benchmark rejects a model with slightly other weights."""
    model, other = Timed("sesn_scalar_28", 4), Timed("sesn_scalar_28", 4)
    check_same_logits(model, other)
    with torch.no_grad():
        next(other.model.parameters()).mul_(1.001)
    with pytest.raises(ValueError, match="logits differ from those of the textbook form by"):
        check_same_logits(model, other)
