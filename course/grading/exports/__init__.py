"""Grades in the formats that other systems read. Each module names the documentation that it follows.

export      one gradebook, written in one of FORMATS
canvas      Canvas's own gradebook CSV, its columns filled in
moodle      Moodle's grading worksheet filled in, or a CSV for its grade import
gradescope  results.json of one learner
github      results for GitHub Classroom, and lines for a workflow's log
tables      CSV with a row per exercise or per learner
feedback    what a learner may read of a grade, as text
matching    learners found in another system's list
files       text written whole or not at all; CSV read whatever its encoding
exported    what is said when it is done
"""
