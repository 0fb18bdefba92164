import tickets.models  # noqa: F401
import tickets.settings  # noqa: F401
from facade.migrations import environment

environment.run()
