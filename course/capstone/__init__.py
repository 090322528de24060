"""What is handed in at the end of the course.

handing_in  weights as data, written and read back as the grader will read them
model_card  the sections of a model card, and what is missing in them
"""
