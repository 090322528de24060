"""The loop, and what it stands on.

loop          train_one_epoch, evaluate, fit: to be read with ??fit
metrics       compute_loss: the loss of a batch; its means and the accuracy over many
engine        its device and precision
batches       batches on their way to the device: prefetched, split into micro-batches
processes     one process per GPU, through accelerate
memory        running out of memory, and answering with smaller micro-batches
schedules     learning rates by step
lr_finder     find_lr(): the loss at one learning rate after another
history       what was measured, epoch by epoch
checkpoints   save, and resume to the bit
stopping      one line if you interrupt a training
features      features of a frozen backbone, computed once, kept on disk
intervals     a mean over seeds, and how far to trust it
experiments   compare(): settings x seeds, with intervals; stored tables
distillation  learning from another network: soft targets, or a slow copy of the student
"""
