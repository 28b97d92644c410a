"""What forward passes and training steps cost, always beside the plain CNN in the same run.

`test_cost` is the pytest-benchmark suite; `measure` runs it and makes records of it. The suite is
told what to run by the environment variables named here.
"""

REFERENCE = "cnn_28"
TEXTBOOK = "textbook"

BATCH_VARIABLE = "SESN_TIMING_BATCH"
ROUNDS_VARIABLE = "SESN_TIMING_ROUNDS"
DEVICE_VARIABLE = "SESN_TIMING_DEVICE"
