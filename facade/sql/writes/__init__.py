"""INSERT, UPDATE and DELETE of instances."""
