"""Datasets: scanning folders, reading image files, splitting, the catalog, the project folder. No Qt, no torch."""
