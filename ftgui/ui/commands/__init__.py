"""What Ctrl+Z undoes."""
