"""What leaves the repository: a folder for a class, and the autograder zip for Gradescope.

class_folder    what a class gets: notebooks, the library, a manifest; no answers
class_copy      the repository with exercises of others in it, to release from
leaks           is an answer or a hidden judge in it?
manifest        the hash of each file, and whether a folder still is what was released
wheel           the library as one file
autograder      Gradescope's zip, which holds answers and is for the instructor alone
gradescope_run  what runs in Gradescope's container for each submission
"""
