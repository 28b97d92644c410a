"""The hash of a record is of what was learned: configuration in a state leaves it as it was."""

from __future__ import annotations

import hashlib

from benchmarks.training.evaluation import weights_hash
from sesn_impl import create_model


def test_hash_is_of_names_and_bytes_of_parameters_and_buffers_alone() -> None:
    model = create_model("sesn_vector_28")
    state = model.state_dict()
    assert any(name.endswith("_extra_state") for name in state)
    digest = hashlib.sha256()
    for name, tensor in state.items():
        if not name.endswith("_extra_state"):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.detach().numpy().tobytes())
    assert weights_hash(model) == digest.hexdigest()
