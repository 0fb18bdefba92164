"""Querysets and managers: asking, reading, many rows at once, prefetching, SQL of one's own."""
