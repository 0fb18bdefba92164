"""The commands of migrations as plain functions; `facade.cli` gives them their options."""
