"""Lists in parts: by numbers, by offsets, and by cursors."""
