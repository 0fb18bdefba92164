"""The flights that left New York City in January 2013: models and data."""
