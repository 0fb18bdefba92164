"""What operators make: the field of a result, and lengths of time where a database has no operators for them."""
