"""The form of a recipe: phases, fields, presets, schedule, augmentation."""
