"""What several pages use to show images: grid, thumbnails, viewer."""
