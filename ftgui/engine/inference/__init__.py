"""Asking a model: predictions, evaluation, saliency, similar images."""
