"""Pretrained models, learned by doing. Names load on first use: importing the course imports no torch.

errors        every error, drawn as a tree
runtime       where am I, which device, which precision, and why
legible       untrusted text made legible, the same wherever it is shown
extras        optional packages, and the command that installs one
files         files written whole or not at all
questions     what learners are asked, and what is explained, as data
notebook      what a learner sees: forms, plots, claims, progress; the learner's own record and copies
data          pictures, scenes, sentences, sounds; your own folders and tables; downloads
models        backbones, heads, freezing, parameter groups; weights, LoRA, interpolation, compression, pretraining
zoo           what others publish: sizes, licences, cost, Keras, and files that nobody should trust
training      the loop, and what it stands on; features, experiments, distillation
inspection    where a model looks, whether its probabilities mean what they say, how it copes with damage
applications  classify, detect, segment, understand text; show it, export it
capstone      what is handed in at the end: weights as data, and a model card
judging       exercises judged away from the answer: probe, judge, check, hint
exercises     the probes and visible judges of each notebook
authoring     solutions/ to notebooks/, and the check that they agree
grading       submissions to grades that can be trusted
cli           the command `course`
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
