"""The exercises of each notebook: cases, probes and visible judges. Content, not machinery (that is course.judging)."""
