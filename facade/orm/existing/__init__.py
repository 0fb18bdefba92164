"""Models on tables that are somebody else's: what `Meta.table` says."""
