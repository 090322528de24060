"""What a trained model has learned, and where it fails.

attribution   which pixels and words a prediction depends on: Grad-CAM, integrated gradients, occlusion, attention
calibration   whether its probabilities can be trusted: reliability, calibration error, temperature
paired_test   mcnemar(): whether two models differ, judged on the same test samples
class_report  precision, recall and F1 of each class, with intervals
corruptions   pictures with noise, blur, fog, low contrast or coarse pixels, at five severities
"""
