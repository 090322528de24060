"""Pretrained models, and the surgery on them. The functions of the first four load on first use: `models.freeze`.

backbones         a model with its pretrained weights, by name; its preprocessing
heads             the last layer, found and replaced
freezing          frozen has three meanings; train mode for what is not
parameter_groups  the stages of a model, and learning rates by depth
weights           the bundled weight files and the published ones, hashes checked
lora              low-rank adapters
interpolation     models between two models
compression       pruning, 8-bit files
pretraining       a small encoder, contrastive views, hidden words
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
