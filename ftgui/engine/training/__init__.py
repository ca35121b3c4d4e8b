"""The training loop and what it is made of: optimizer, schedule, checkpoints, best weights, steering."""
