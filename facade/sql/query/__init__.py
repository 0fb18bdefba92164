"""What is asked: the state of a query, its conditions, joins, paths of names, and how two queries become one."""
