"""What a learner sees in a notebook, and the learner's own record.

questions          predict, reveal, quiz: asked, answered, remembered
question_pages     a question as text and as HTML
bridge             forms in an output that reach the kernel
plots              charts and pictures with alt text, in colour-blind-safe colours
claims             claim(): a sentence that is printed with "holds" or "does not hold"
tables             rows of cells as text and as HTML
progress_bars      progress bars, if somebody watches
record             what the learner did: one JSON line per event, on this machine only
spaced_repetition  what to repeat, and when: Leitner's boxes over the record
notebook_files     notebooks on disk: the same notebook always gives the same bytes
copied_cells       whose each cell of a learner's copy is
updating           a learner's copy brought up to date
workspace          the learner's own copies of the notebooks: made, updated, kept
"""
