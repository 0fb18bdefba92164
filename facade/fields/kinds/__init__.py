"""The fields themselves, by the kind of their values."""
