"""Data to learn from: the bundled emoji, and folders of your own pictures."""
