"""Fetching weights and example sets, with progress, and going on where it broke off."""
