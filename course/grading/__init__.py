"""Notebooks and capstones that others made, to grades that can be trusted.

grades          a submission, and the grade of one exercise
work            what is handed to workers, as plain data
digests         what decides a grade, identified by a hash of everything that decides it
import_closure  the files that a module needs, found in the sources
submissions     folders, globs and zips to submissions; whose is which
sandbox         an answer, run where it can reach nothing
run             from submissions to grades
capstone        weights and a model card, graded on hidden pictures without running anything of them
gradebook       where grades are kept
reports         pages for the instructor and for each learner; near-identical answers
exports         the formats of other systems
release         what leaves the repository: for a class, for Gradescope
"""
