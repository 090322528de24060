"""Keras on TensorFlow beside PyTorch in one process: imported quietly, or a reason why it is not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Loads triton: after TensorFlow, whose LLVM is another one, that would end the process.
import torch._dynamo

from course.errors import SetupError

INSTALL = 'python -m pip install "tensorflow>=2.18"'


def import_keras() -> Any:
    """The module `keras` with TensorFlow underneath, on the CPU and on as many threads as torch uses.

    The lines that TensorFlow writes while it starts are dropped: they carry process numbers and say nothing about
    what a learner does. Raises SetupError if TensorFlow is not there (there is none for every Python and chip), cannot
    start, or if Keras was imported before on another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _without_stderr():
            import keras
            import tensorflow
    except ImportError as error:
        raise SetupError(
            f"TensorFlow is not here ({str(error).splitlines()[0]}), so what needs it is left out; there is none for "
            f"every Python and chip. If there is one for yours: {INSTALL}"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise SetupError(
            f"Keras was imported before, on {keras.backend.backend()}; restart the kernel with KERAS_BACKEND=tensorflow"
        )
    _settle(tensorflow)
    return keras


def _settle(tensorflow: Any) -> None:
    """Leave GPUs to torch, and take no more threads than it does; too late once TensorFlow has computed anything."""
    try:
        tensorflow.config.set_visible_devices([], "GPU")
        tensorflow.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # it runs already, as it was set up then
        return


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drops what is written to the process's own stderr, by C++ too, and puts it back."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
