"""What window and engine say to each other, and the recipe both read. No Qt, no torch."""
