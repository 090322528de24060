"""From folders, zips and notebooks to one submission for each notebook that a learner handed in, and for each capstone.

collect       what was handed in, found and sorted by learner
found         the files of a folder or zip, nothing extracted, followed or opened
naming        what the names of files and folders say
owners        whose each file is
roster        the learners of a class, from a CSV file
no_notebooks  what to say where no notebook is
mistyped      what was named on the command line and cannot be meant

Nothing that was handed in is imported, executed or unpickled. What this cannot know: dates of files, of members of zips
and in nbgrader's timestamp.txt are what a learner's own computer may have written, and those in a download of Canvas,
Moodle or GitHub are the download's: there `due` is not applied, and late is what the export marks as late.
"""
