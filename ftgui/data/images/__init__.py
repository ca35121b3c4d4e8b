"""Images on disk: decoding, intensity, preprocessing, thumbnails."""
