"""From submissions to grades.

class_run  one class from submissions to reports: what `course grade` does
queue      the loop: what is graded is skipped, what is made is committed
tasks      the functions that workers are asked for, found by name
reading    a notebook to its attempts, read as data
worker     one attempt: run in the sandbox, judged outside
pools      processes of this machine, or a Dask cluster
gather_settings  what the workers must know, from a gradebook and a clone
renamed    learners that go by another name than in an earlier run
"""
