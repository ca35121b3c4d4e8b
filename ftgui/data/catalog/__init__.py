"""The catalog of a dataset: every image with its class, split and problems, in one SQLite file."""
