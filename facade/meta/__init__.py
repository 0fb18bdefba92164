"""What is known about models: their registry, options, relations, indexes and constraints."""
