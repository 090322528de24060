"""Wrong answers, each named for its mistake, and second right answers: what the judges are tested with.

A module nbNN_... holds `WRONG`, exercise id -> {answer: words that the verdict must contain}, and `RIGHT`, exercise
id -> [answer], right ones by another approach than the notebook's solution.
"""
