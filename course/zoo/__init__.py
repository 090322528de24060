"""Models that others publish.

published           what torchvision and timm publish: sizes, licences, hashes
cost                what a model costs: parameters, MiB, operations, milliseconds
keras_models        Keras on TensorFlow beside torch, or why it is not there
from_keras          a Keras network rebuilt in PyTorch, with the same weights
safetensors_header  a safetensors header, checked before a tensor is made
untrusted_weights   a weight file from a stranger: its kind, what it would import, whether it fits
untrusted_onnx      an ONNX file from a stranger, looked over before anything runs it
full_profile        what the full profile downloads, with its licences, and fetching it
"""
