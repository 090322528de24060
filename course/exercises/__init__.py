"""The exercises of each notebook: cases, probes and visible judges. Content, not machinery (that is course.judging).

investigation         the judges of an open investigation
investigation_record  what such an investigation returns, as the probe reads it
small_encoder         a narrow text encoder under a head
small_models          narrow variants of well-known architectures, so that a check takes milliseconds
small_segmenters      the same for segmentation
tensor_comparison     whether tensors moved as a reference did
"""
