"""The commands of a terminal, one module each."""
