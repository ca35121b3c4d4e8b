"""The window. No torch: it knows the engine by messages only."""
