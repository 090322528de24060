"""The loop, and what it stands on.

loop          train_one_epoch, evaluate, fit: to be read with ??fit
engine        its device, precision, processes and memory
batches       batches on their way to the device
metrics       the loss of a batch; loss and accuracy over samples
schedules     learning rates by step
history       what was measured, epoch by epoch
checkpoints   save, and resume to the bit
features      features of a frozen backbone, computed once, kept on disk
experiments   compare(): settings x seeds, with intervals; stored tables
distillation  learning from another network: soft targets, or a slow copy of the student
"""
