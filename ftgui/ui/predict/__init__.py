"""The Predict page and everything only it uses."""
