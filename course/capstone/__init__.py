"""The capstone: what a learner hands in at the end of the course.

handing_in  weights as data, written, and read back as the grader reads them
model_card  the sections of a model card, and what is missing from them
"""
