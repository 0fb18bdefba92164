"""Models, instances, querysets and relations, as programs use them."""
