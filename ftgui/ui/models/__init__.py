"""Item models: what views show, without widgets."""
