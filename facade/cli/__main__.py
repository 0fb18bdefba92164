"""``python -m facade.cli`` is the ``facade`` command."""

from facade.cli import main

main()
