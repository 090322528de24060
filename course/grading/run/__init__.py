"""From submissions to grades.

class_run  one class from submissions to reports: what `course grade` does
queue      the loop: what is graded is skipped, what is made is committed
work       what is handed to workers, as plain data
digests    what decides a grade, identified by a hash of everything that decides it
tasks      the functions that workers are asked for, found by name
worker     what they do: read as data, run in the sandbox, judge outside
pools      processes of this machine, or a Dask cluster
settings   what the workers must know, gathered from a gradebook and a clone
renamed    learners whom a run knows by another name than before
"""
