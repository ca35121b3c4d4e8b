"""The Train page and everything only it uses."""
