"""The layer tree, the choice of a model, and what training it costs."""
