"""What every part stands on: paths, files written whole, jobs, numbers as text. Knows nothing of images or models."""
