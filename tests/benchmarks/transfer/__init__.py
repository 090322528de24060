"""One application each: what a pretrained trunk, a random one and a classical method reach on the same test items."""
