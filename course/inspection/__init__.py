"""Questions to a trained model.

attribution  where it looks: Grad-CAM, integrated gradients, occlusion, attention
calibration  whether its probabilities mean what they say; temperature
corruptions  pictures made worse by known degrees
"""
