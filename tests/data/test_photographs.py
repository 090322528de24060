import subprocess
import sys

import numpy as np
from sklearn.datasets import load_sample_images

from course.data.photographs import sample_photographs


def test_the_photographs_are_those_of_scikit_learn():
    for picture, pixels in zip(sample_photographs(), load_sample_images().images, strict=True):
        assert np.array_equal(np.asarray(picture), pixels)


def test_the_photographs_are_read_without_importing_scikit_learn():
    code = (
        "import sys; from course.data.photographs import sample_photographs; sample_photographs(); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "sklearn" not in modules
