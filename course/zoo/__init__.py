"""Models that others publish: how to choose, load and trust them.

published           what torchvision and timm publish: sizes, licences, hashes
cost                what a model costs: parameters, MiB, FLOPs, milliseconds
keras_models        Keras on TensorFlow in the same process as torch
from_keras          a Keras network rebuilt in PyTorch, with the same weights
safetensors_header  a safetensors header, checked before a tensor is made
untrusted_weights   a weight file from a stranger: its format, what it would import, whether it fits
untrusted_onnx      an ONNX file from a stranger, checked before anything runs it
strange_onnx        ONNX files that ask for more than to be read, to try that on
sample_files        small files of known types, to try a detector of file types on
full_profile        what the full profile downloads, with its licences, and the download itself
"""
