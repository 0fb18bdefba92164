"""Each bridge of facade.contrib needs its own package, and none of the others'."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: What each bridge needs, with what that needs itself; and what it says is missing without it.
NEEDED = {
    "starlette": ({"starlette"}, "Starlette"),
    "fastapi": ({"fastapi", "starlette", "pydantic"}, "FastAPI"),
    "litestar": ({"litestar", "msgspec"}, "Litestar"),
    "pydantic": ({"pydantic"}, "pydantic"),
    "msgspec": ({"msgspec"}, "msgspec"),
    "admin": ({"starlette_admin", "starlette"}, "starlette-admin"),
}
OTHERS = {"alembic", "asyncmy", "asyncpg", "libcst", "psycopg", "pymysql", "sqlmodel", "typer", "uvicorn"}

PROGRAM = """
import json, os, sys
import facade.models, facade.contrib

class Missing:
    def __init__(self, names):
        self.names = names
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for module, missing in json.loads(sys.argv[1]):
    if not os.fork():
        sys.meta_path.insert(0, Missing(missing))
        try:
            __import__(f"facade.contrib.{module}")
            print(module, "imported", flush=True)
        except ModuleNotFoundError as error:
            print(error, flush=True)
        os._exit(0)
    os.wait()
"""


def printed(cases):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(cases)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_bridge_needs_its_own_package_and_no_other():
    everything = OTHERS.union(*(needed for needed, _ in NEEDED.values()))
    cases = [(module, sorted(everything - needed)) for module, (needed, _) in NEEDED.items()]
    assert printed(cases) == [f"{module} imported" for module in NEEDED]


def test_a_bridge_without_its_package_says_how_to_get_it():
    own = {"admin": ["starlette_admin"]}
    told = printed([(module, own.get(module, [module])) for module in NEEDED])
    assert told == [
        f"facade.contrib.{module} needs {name}: pip install 'sqlalchemy-facade[{module}]'"
        for module, (_, name) in NEEDED.items()
    ]
