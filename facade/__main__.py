"""``python -m facade`` is the ``facade`` command."""

from facade.cli import main

main()
