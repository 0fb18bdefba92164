"""Values read from text: moments and lengths of time, IP addresses."""
