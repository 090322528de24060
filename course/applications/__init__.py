"""Pretrained models put to use.

predictor      a classifier to share: predict, save as plain data, load, export
preprocessing  its transform as plain numbers
onnx_export    an ONNX file, tried out before it is shared
uploads        the classifier tried on an uploaded picture, or the camera's
detection      a detector on a pretrained trunk, for fit; its average precision
box_viewer     boxes drawn, with a slider for the threshold
segmentation   a trunk's maps, a dense head, the loss without void, classifiers swapped
iou            how far masks overlap, counted over a data set
mask_viewer    masks over pictures, with a slider
text           encoders, pooling, models that classify texts and tag words, adapters by peft
spans          named entities as spans, and their F1
"""
