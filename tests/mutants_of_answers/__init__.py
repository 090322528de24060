"""Wrong answers made from right ones: each reference solution with one small change, which some judge must find.

mutations    the changes: another operator, a bound off by one, a statement or a call left out, arguments swapped
survivors    which of them keep full marks from visible and hidden judges together
equivalents  (a .toml) those that are right answers after all, each with the reason

python -m tests.mutants_of_answers [EXERCISE ...]
"""
