"""SQL as text: pieces of facade's own, and what users write themselves."""
