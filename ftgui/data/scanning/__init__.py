"""What a folder, an archive or a table holds: which images, in which classes and splits, and what says so."""
