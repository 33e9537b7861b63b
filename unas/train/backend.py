# SPDX-License-Identifier: Apache-2.0
"""TensorFlow, imported when it is needed and set up for small networks."""

from __future__ import annotations

import os
from typing import Any

from unas.errors import ToolError


def load_tensorflow() -> Any:
    """The module ``tensorflow``, imported quietly at the first call."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read at TensorFlow's first import
    import tensorflow

    return tensorflow


def configure(*, threads: int | None = None, deterministic: bool = False) -> None:
    """Set up TensorFlow for this process; call it once, before anything is trained.

    Args:
        threads: For the work inside one operator; default: one per core. Processes that train side
            by side should share the cores among them.
        deterministic: Only operators that give the same bits every time. On CPUs the trainer needs
            none of that; on GPUs it costs time.

    Raises:
        ToolError: TensorFlow has begun to work already, with other numbers of threads.
    """
    tf = load_tensorflow()
    try:
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            # Two: one runs the step, the other fetches and augments the next batch.
            tf.config.threading.set_inter_op_parallelism_threads(min(2, threads))
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ToolError(
            f"TensorFlow is set up already ({error}); call configure() before the first training"
        ) from error
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def forget_models() -> None:
    """Give back what Keras and Python's reference cycles hold of earlier candidates."""
    import gc

    import keras

    keras.backend.clear_session(free_memory=False)
    gc.collect()
