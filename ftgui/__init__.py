"""ftgui: fine-tune pretrained image classifiers in a window, without writing code."""

__version__ = "0.1.0"
