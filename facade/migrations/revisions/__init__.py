"""What a revision that is written holds: names, renames, values for the rows that are there."""
