"""Keras on TensorFlow for tests that need it: skipped where there is none, an error where CI should have it."""

import os

import pytest

from course.errors import SetupError
from course.zoo.keras_models import import_keras


def keras_or_skip():
    """The module keras; the test is skipped without TensorFlow, and fails where `CI` is set."""
    try:
        return import_keras()
    except SetupError as error:
        if os.environ.get("CI"):
            pytest.fail(f"the extra `zoo` belongs to `test`, and yet: {error}")
        pytest.skip(str(error))
