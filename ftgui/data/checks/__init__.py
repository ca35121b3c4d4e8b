"""Looking at every image once: damage, duplicates."""
