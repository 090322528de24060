"""What a learner sees in a notebook, and what is kept for the learner alone.

questions          predict, reveal, quiz
plots              pictures with alt text, in colours for everybody
claims             claim(): a sentence that is printed with "holds" or "does not hold"
progress_bars      progress bars while somebody watches, silence for CI
record             the learner's own record: one JSON line per event
spaced_repetition  what to repeat, and when: Leitner's boxes over the record
notebook_files     notebooks on disk, the same notebook always as the same bytes
workspace          the learner's own copies of the notebooks
"""
