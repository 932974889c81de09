"""Training of networks: data augmentation, losses, the training loop and its saved state, and personalisation."""
