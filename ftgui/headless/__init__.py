"""What ``ftgui`` does without a window, one module a command. Imports torch only when a command runs."""
