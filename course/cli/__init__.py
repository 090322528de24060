"""The command `course`: each subcommand calls one function of the package and prints what comes back.

app        the command itself: its subcommands and its error handling
lab        course lab, course home: open the learner's own notebooks, and the page that leads into them
jupyter    JupyterLab started with the course's defaults, or found running
lookup     what a learner names: a chapter, a notebook, a folder
doctor     course doctor: print the findings of `diagnosis`
diagnosis  what this machine has, what is wrong with it, and the command that fixes it
environments  which Python this is, and how the course got into it
learning   course check, course progress
building   course build, for authors
exercises  course new-exercise, try-exercise, and the option --exercises
fetch      course fetch: downloads for the full profile
grading    course grade, report, export, release, for instructors
"""
