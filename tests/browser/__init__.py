"""What a learner sees: a real JupyterLab in headless Chromium."""
