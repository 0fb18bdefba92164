"""A run of the environment: what it is for, whom it waits for, what holds it together and what it tells."""
