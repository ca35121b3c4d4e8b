"""Objects that live in threads of their own."""
