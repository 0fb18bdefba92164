"""What everything else stands on: calls upwards, generated functions, promised texts, deconstruction."""
