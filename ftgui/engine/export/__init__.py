"""Models for other programs, each proved to answer as the trained model does."""
