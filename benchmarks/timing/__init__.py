"""What forward passes and training steps cost, always beside the plain CNN in the same run.

That CNN has torch's own convolutions (`by_torch`): as a model it has those of this project.

`rounds` is the loop that all of it is timed by; `measure` makes records, and `tests/test_cost.py`
is the same for pytest-benchmark: `pytest benchmarks/timing --benchmark-enable`.
"""

REFERENCE = "cnn_28"
TEXTBOOK = "textbook"
MATRIX = "matrix_product"
"""A product of two square matrices: what the machine attains, so that shares of it can be told."""
MATRIX_SIDE = 1024
MODELS = (REFERENCE, "sesn_scalar_28", "sesn_vector_28")


def references(model: str) -> tuple[str, ...]:
    """The plain networks that a model is timed beside: of its own image size, and the smaller."""
    return ("cnn_56", REFERENCE) if "_56" in model else (REFERENCE,)
