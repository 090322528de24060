"""What people read: a page for each learner, one for the instructor, each a file that needs nothing else.

folder/index.html              the class, for the instructor
folder/learners/NAME.html      to hand out: hidden judges by title alone
folder/instructor/NAME.html    the same with everything the judges said, and the answers

write           all pages, written
classroom       what the pages are about, read from the gradebook
learner         one learner's page
overview        the class's page
leaderboard     capstones in the order of what they scored
similarity      near-identical answers
charts          small charts
status_texts    what a status is called, and what to do about it
pages           the templates, filled in
markup          text as HTML
path_redaction  paths of the grading machine, shortened
files           pages written where they changed
"""
