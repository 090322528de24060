"""Keras on TensorFlow in the same process as PyTorch: imported quietly, or an error that says what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# This loads triton: after TensorFlow, whose LLVM is another version, it would crash the process.
import torch._dynamo

from course.errors import SetupError
from course.extras import install_command


def import_keras() -> Any:
    """The module `keras` with TensorFlow underneath, on the CPU and on as many threads as torch uses.

    The lines that TensorFlow writes when it starts are suppressed: they contain process ids and nothing that a learner
    needs. Raises SetupError if TensorFlow is not installed (not every Python and chip has one), cannot start, or if
    Keras was imported before on another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _without_stderr():
            import keras
            import tensorflow
    except ImportError as error:
        raise SetupError(
            f"TensorFlow cannot be imported ({str(error).splitlines()[0]}), so whatever needs it is skipped; it is not "
            f"available for every Python and chip. If it is for yours: {install_command('zoo')}"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise SetupError(
            f"Keras was imported before, on {keras.backend.backend()}; restart the kernel with KERAS_BACKEND=tensorflow"
        )
    _limit(tensorflow)
    return keras


def _limit(tensorflow: Any) -> None:
    """Leave GPUs to torch, and use no more threads than it does; too late once TensorFlow has computed something."""
    try:
        tensorflow.config.set_visible_devices([], "GPU")
        tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # it has started already, with other settings
        return


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Discards everything written to the process's stderr, by C++ too, and restores it afterwards."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
