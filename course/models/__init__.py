"""Pretrained models, and changes to them. The functions of the first four load on first use: `models.freeze`.

backbones         a model with its pretrained weights, by name; its preprocessing
heads             the last layer, found and replaced
freezing          freeze, unfreeze; train mode for the layers that are not frozen
parameter_groups  the stages of a model, and learning rates by depth
factory           models built by name, as torchvision or timm makes them
weights           weight files, bundled or downloaded, their hashes checked
lora              low-rank adapters
interpolation     the straight line between the weights of two models
compression       magnitude pruning, 8-bit quantization
pretraining       a small encoder, contrastive learning, masked language modelling
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
