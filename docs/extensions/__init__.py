"""What the site does beyond Sphinx: pages that list public names, whose texts are the docstrings."""
