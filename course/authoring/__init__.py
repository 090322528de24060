"""solutions/ is the source: notebooks/ is made from it, run, stored, and checked for drift.

building    `build` and `drift`
cells       `normalise`: standard first cells, cell ids, nbgrader's metadata
regions     `release`: each solution region becomes one `raise NotImplementedError`
running     `run` a notebook in the quick profile and keep its outputs
setup_cell  the source of the setup cell
new_exercise  the files of an exercise, made from stubs
exercise_stubs  what they hold at first
insertion   the cells of an exercise, put into a chapter
trying      the answers that come with an exercise, tried on its judges
"""

from course.authoring.building import build, drift, find_root
from course.authoring.cells import normalise
from course.authoring.regions import release
from course.authoring.running import environment, run
from course.authoring.setup_cell import setup_source
from course.notebook.notebook_files import METADATA, content, read, text

__all__ = [
    "METADATA",
    "build",
    "content",
    "drift",
    "environment",
    "find_root",
    "normalise",
    "read",
    "release",
    "run",
    "setup_source",
    "text",
]
