"""The engine's process as the window sees it: requests, answers, and how it ends."""
