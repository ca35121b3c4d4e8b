"""The Runs page and everything only it uses."""
