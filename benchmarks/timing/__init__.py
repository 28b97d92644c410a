"""What forward passes and training steps cost, always beside the plain CNN in the same run.

That CNN has torch's own convolutions (`by_torch`): as a model it has those of this project.

`test_cost` is the pytest-benchmark suite; `measure` runs it and makes records of it. The suite is
told what to run by the environment variables named here.
"""

REFERENCE = "cnn_28"
TEXTBOOK = "textbook"
MATRIX = "matrix_product"
"""A product of two square matrices: what the machine attains, so that shares of it can be told."""
MATRIX_SIDE = 1024
MODELS = (REFERENCE, "sesn_scalar_28", "sesn_vector_28")

MODELS_VARIABLE = "SESN_TIMING_MODELS"
BATCH_VARIABLE = "SESN_TIMING_BATCH"
ROUNDS_VARIABLE = "SESN_TIMING_ROUNDS"
DEVICE_VARIABLE = "SESN_TIMING_DEVICE"


def references(model: str) -> tuple[str, ...]:
    """The plain networks that a model is timed beside: of its own image size, and the smaller."""
    return ("cnn_56", REFERENCE) if "_56" in model else (REFERENCE,)
