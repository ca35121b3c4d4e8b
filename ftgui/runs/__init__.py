"""Run folders: what a training leaves on disk, read, listed, compared and reported."""
