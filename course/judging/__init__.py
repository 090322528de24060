"""Exercises judged away from the answer: a probe runs beside it, a judge decides on what came back.

wire             plain data and tensors to bytes and back: JSON and safetensors, never a pickle
exercise_folders  the folders that exercises come from
class_changes    points and titles that a class changes
exercise         what an exercise is: cases drawn outside, one probe, several judges worth points
expectations     what judges say: what was tried, what came back, what was expected, which misconception
results          what comes of an answer, as plain data and as text
runner           runs the probe beside the answer: `LocalRunner` in this process; withholds the library's own answers
timelimit        a limit that an endless loop cannot escape
isolation        what a learner's code runs in, and that nothing of it stays
file_signatures  what a file that is not a notebook really is
moved            modules that have moved: what to write instead of an old import
verdict          an exercise and a runner to a result with points
answers          the answers in a notebook, read as data
translation      old imports translated, so that an answer in a file runs with them
definitions      a notebook's definitions, executed without its experiments
card             a result as HTML
hints            `hint`, and the button for it on a card
checking         `check`, `check_notebook`
outlines         the chapters as their notebooks present them, with links
overview         how far you are, from the record
progress_table   `progress`
home_page        home.md, the page that `course lab` opens first
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
