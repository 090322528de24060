"""Notebooks and capstones that others made, to grades that can be trusted.

records      a submission, and the grade of one exercise
submissions  folders, globs and zips to submissions; whose is which
gradebook    where grades are kept
similarity   near-identical answers
exports      the formats of other systems
reports      pages for the instructor and for each learner

limits       how much an answer may use
probes       the exercises as the sandbox may see them
seccomp, confine, bubblewrap   what a process gives up before it runs an answer
talk         what goes in and what comes out
warm         what runs behind the sandbox: imports, and forks a child for each exercise
sandbox      the student behind it; its docstring says what it does not protect against
proof        the sandbox attacked from inside

capstone     weights and a model card, graded on hidden pictures without running anything of them

tasks        the work that goes to other processes and machines
worker       what they do: read as data, run in the sandbox, judge outside
pools        processes of this machine, or a Dask cluster
capstones    the hidden pictures of a class, and the work on one hand-in
settings     what the workers must know
renamed      learners whom a run knows by another name than before
grade        the loop: what is graded is skipped, what is made is committed
run          from submissions to reports in one call
release      what leaves the repository: for a class, for Gradescope
"""
