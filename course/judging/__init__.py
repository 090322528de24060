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
notebook_files   a notebook file, read as data
kernel_syntax    a cell as a kernel runs it: magics, prompts and indentation turned into Python
newer_python     syntax that a newer Python has, told from a mistake
answers          the answers in a notebook, read as data
bindings         what a statement binds, reads, changes and calls
dependencies     which statements of a notebook an answer needs
translation      old imports translated, so that an answer in a file runs with them
stand_ins        `display`, `get_ipython` and what else a kernel has, where there is none
definitions      statements executed, to a namespace with the answer; what failed is kept
attempts         an answer judged with what it needs, or with the whole notebook above it
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
