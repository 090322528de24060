"""The capstone: weights and a model card, graded on pictures that the class has not seen, no code of a learner run.

rules      what it is called and worth, and how many pictures it is shown
submitted  weights in what was handed in, each with its model card
work       the hidden pictures, drawn once, and what is to be done for one hand-in
pictures   what is drawn of a folder of hidden pictures, the same for everybody
damage     the same pictures as a bad camera or a bad line would give them
scoring    one hand-in: does it load, how often is it right, what does its card say

Why in a worker and not in the sandbox: nothing of a hand-in is code. The architecture is built by its name from a list
of ours, the file's header is checked before a tensor is made, and what runs are our layers on our pictures. So time and
memory are known beforehand: at most 50 MiB of weights, and DRAWN + DAMAGED pictures of at most 224 pixels a side. A
sandbox would have to be given the hidden pictures, and would keep away nothing. What this relies on: that safetensors'
parser (Rust) and torch's layers do no harm with any finite numbers.
"""
