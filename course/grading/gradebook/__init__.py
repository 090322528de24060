"""Where grades are kept: each is committed as it is made, none is lost, doubled or overwritten.

SQLite by default (WAL, every commit on the disk before it returns), PostgreSQL by its address. Several graders may
write to one gradebook at once. A resubmission, and the grades by judges that have changed since, stay as history.

book       `Gradebook`: submissions and grades in a database
standings  for each learner and notebook the submission that counts
rows       submissions and grades as rows, and back
schema     the tables, and how an older gradebook becomes this one
queries    what is asked of the tables
engines    SQLite or PostgreSQL, opened; their errors explained
repeats    the same content handed in again
"""
