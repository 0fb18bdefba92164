"""What of a database's tables is other than the models say, told in the database's own words."""
