"""Training: losses, objective, loop, state."""
