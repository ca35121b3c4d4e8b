"""What is open: dataset, model, ticks, recipe, training, evaluation. No widgets."""
