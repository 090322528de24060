"""What pretraining is worth: one module an application, compared by `python -m tests.benchmarks transfer_gain`.

A module has one function, `run(seed) -> (items, metrics)`: the number of test items, and for each of "pretrained",
"random" (the same architecture with a random trunk) and "baseline" (a classical method, if there is one) a function
from an array of item indices, with repeats, to the metric on those items.
"""
