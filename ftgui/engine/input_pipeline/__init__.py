"""From files to batches: decoded images, augmentation, the frozen prefix, cached features."""
