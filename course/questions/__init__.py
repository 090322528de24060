"""The questions of each notebook as plain data: what is asked, the options, and what is said about each of them.

question  Prediction and Quiz, and `find_question`

A module for each notebook (nb00_start_here, ...) holds its questions in QUESTIONS, in the notebook's order.
"""
