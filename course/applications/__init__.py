"""Pretrained models put to use.

predictor      a classifier to share: predict, save as plain data, load, export
preprocessing  its transform as plain numbers
onnx_export    an ONNX file, compared with the model before it is shared
uploads        the classifier on an uploaded picture, or on one from the camera
detection      object detection: a Faster R-CNN on a pretrained backbone, and its average precision
box_viewer     boxes on their pictures, with a slider for the threshold
viewer_pages   HTML with controls that needs no kernel
segmentation   semantic segmentation: scenes as tensors, joint transforms, the loss without void
segmenter      models for it: feature maps, a head on them, torchvision's models with new classifiers
iou            intersection over union, counted over a data set
mask_viewer    masks over pictures, with a slider
tokenization   texts as token ids
text_models    models that classify texts or tag words; adapters by peft
spans          named entities as spans, and their F1
course_text    the course's own glossary and headings, to search in
"""
