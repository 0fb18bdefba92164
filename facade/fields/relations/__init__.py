"""Foreign keys, one-to-one and many-to-many fields, from both ends."""
