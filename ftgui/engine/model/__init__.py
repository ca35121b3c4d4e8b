"""Building a model, loading weights into it, its layers, freezing."""
