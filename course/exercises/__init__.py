"""The exercises of each notebook: cases, probes and visible judges. Content, not machinery (that is course.judging).

investigation         the judges of an open investigation
investigation_record  what such an investigation returns, as the probe reads it
small_encoder         a narrow text encoder under a head
small_models          narrow variants of well-known architectures, so that a check takes milliseconds
small_segmenters      the same for segmentation
tensor_comparison     whether tensors moved as a reference did

Exercises of others are found here as well: their folders are searched like this one (see judging.exercise_folders).
"""

from course.judging.exercise_folders import others_folders

__path__ += [str(folder) for folder in others_folders()]
