"""The matrix of checks: `nox` runs the tests everywhere, `nox -l` lists the rest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint"]

PYTHONS = ["3.11", "3.12", "3.13"]
SQLALCHEMIES = {"2.0": "sqlalchemy[asyncio]>=2.0.45,<2.1", "2.1": "sqlalchemy[asyncio]>=2.1.0b1,<2.2"}
PROJECT = nox.project.load_toml("pyproject.toml")
RELEASED_FOR = ["3.11", "3.13"]
# What must be importable with an extra, and nothing else, beside facade.
EXTRAS = {
    "postgres": ["asyncpg", "psycopg"],
    "mysql": ["asyncmy", "pymysql"],
    "cli": ["facade.cli.program"],
    "migrations": ["facade.migrations.plugin", "facade.migrations.commands.making"],
    "starlette": ["facade.contrib.starlette"],
    "fastapi": ["facade.contrib.fastapi"],
    "litestar": ["facade.contrib.litestar"],
    "pydantic": ["facade.contrib.pydantic"],
    "msgspec": ["facade.contrib.msgspec"],
    "admin": ["facade.contrib.admin"],
    "port": ["facade.cli.port.rewriting"],
    "demo": ["facade.cli.flights.service", "uvicorn"],
}
EXTRAS["all"] = [module for modules in EXTRAS.values() for module in modules]
TYPED = """
from typing_extensions import assert_type

from facade import models


class Author(models.Model):
    name = models.CharField(max_length=100)
    age = models.IntegerField(null=True)


assert_type(Author().name, str)
assert_type(Author().age, int | None)
assert_type(Author.objects.get(), Author)
"""


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    session.install("-e", f".[{extras}]" if extras else ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session(python=PYTHONS)
@nox.parametrize("sqlalchemy", SQLALCHEMIES)
def tests(session: nox.Session, sqlalchemy: str) -> None:
    """Run the test suite."""
    install(session, "test")
    session.install(SQLALCHEMIES[sqlalchemy])
    session.run("pytest", *session.posargs)


@nox.session
@nox.parametrize("off", ["FACADE_SHAPE_CACHE", "FACADE_FAST_ROADS"])
def without(session: nox.Session, off: str) -> None:
    """Run the test suite with a short cut switched off: it must only ever change the speed."""
    install(session, "test")
    session.run("pytest", *session.posargs, env={off: "0"})


@nox.session(python="3.13")
def differential(session: nox.Session) -> None:
    """Run many thousand cases in facade and in Django; see tests/differential."""
    install(session, "test")
    budget = {"FACADE_DIFFERENTIAL_READS": "20000", "FACADE_DIFFERENTIAL_WRITES": "2000"}
    session.run("pytest", "tests/differential", *session.posargs, env={**budget, **os.environ})


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines the tests reach."""
    install(session, "test")
    session.run("coverage", "run", "-m", "pytest", *session.posargs, env={"COVERAGE_CORE": "ctrace"})
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and layers; what type checkers see of the public names is a test."""
    install(session, "lint")
    session.run("bash", ".ci/checks", external=True)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests on the lowest versions that pyproject.toml allows of SQLAlchemy, greenlet and the drivers."""
    needed = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["drivers"]]
    lowest = [requirement.replace(">=", "==") for requirement in needed]
    # In one go: the tests' own tools are then of versions that can live with these.
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, "test"), *lowest)
    session.run("pytest", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known advisories: in the newest versions of what we need, and in the lowest that we allow."""
    needed = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["drivers"]]
    session.install("pip-audit")
    for relation in (">=", "=="):
        listed = Path(session.create_tmp()) / "requirements.txt"
        listed.write_text("\n".join(requirement.replace(">=", relation) for requirement in needed))
        session.run("pip-audit", "--strict", "--requirement", str(listed))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try hostile input at every public door for long: `FACADE_FUZZ` is the number of examples of each."""
    install(session, "test")
    session.run("pytest", "tests/test_fuzz.py", *session.posargs, env={"FACADE_FUZZ": "5000", **os.environ})


@nox.session(python="3.13")
def conformance(session: nox.Session) -> None:
    """Run Django's own ORM tests by FACADE_CONFORMANCE: `nox -s conformance -- --tests django-6.1.3/tests [packages]`."""
    runner = os.environ.get("FACADE_CONFORMANCE")
    if runner is None:
        session.error("FACADE_CONFORMANCE names no folder that has the run.py of the conformance tests")
    install(session, extras="all")
    session.install("django==6.1.3", "setuptools")
    session.run("python", str(Path(runner) / "run.py"), "--target", "facade", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed against the bare drivers and other ORMs."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *(session.posargs or ["run"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error, and so is a link within it that leads nowhere."""
    install(session, "docs")
    session.run("sphinx-build", "-n", "-W", "docs", "docs/_build")
    session.run("python", "-m", "docs.extensions.anchors", "docs/_build")


@nox.session
def release(session: nox.Session) -> None:
    """Build sdist and wheel, list what changed, and try both in empty environments. Nothing is uploaded."""
    session.install("build", "towncrier")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist", silent=True)
    (wheel,) = Path("dist").glob("*.whl")
    session.log(f"Built: {', '.join(sorted(path.name for path in Path('dist').iterdir()))}")
    session.run("towncrier", "build", "--draft", "--version", version_of(wheel))
    for python in RELEASED_FOR:
        session.notify(f"released-{python}")
    session.notify("released_tests")


def version_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


@nox.session(name="released", python=RELEASED_FOR)
def released(session: nox.Session) -> None:
    """Try the wheel in dist where nothing else is installed: import, demo, types, extras."""
    (wheel,) = Path("dist").resolve().glob("*.whl")
    session.install(str(wheel))
    session.chdir(session.create_tmp())  # the checkout is not on the path
    version = version_of(wheel)
    session.run("python", "-c", f"import facade; assert facade.__version__ == {version!r}, facade.__file__")
    session.install(f"{wheel}[cli]")
    said = session.run("facade", "--version", silent=True)
    if version not in said:
        session.error(f"facade --version says {said!r}, and the wheel is {version}")
    session.run("facade", "demo", silent=True)
    try_types(session)
    try_extras(session, wheel)


def try_types(session: nox.Session) -> None:
    """See with mypy that the wheel says it is typed."""
    session.install("mypy")
    Path("typed.py").write_text(TYPED)
    session.run("mypy", "--strict", "typed.py")


def try_extras(session: nox.Session, wheel: Path) -> None:
    """Resolve and import each extra, alone in an environment."""
    session.install("uv")
    extras = PROJECT["project"]["optional-dependencies"]
    if set(extras) != set(EXTRAS):
        session.error(f"EXTRAS and pyproject.toml differ: {set(extras) ^ set(EXTRAS)}")
    for extra, modules in EXTRAS.items():
        folder = Path(extra).resolve()
        session.run("python", "-m", "venv", "--clear", "--without-pip", str(folder), silent=True)
        python = next(folder.glob("[bS]*/python*"))
        session.run("uv", "pip", "install", "-q", "-p", str(python), f"{wheel}[{extra}]")
        imports = "; ".join(f"import {module}" for module in ["facade.models", *modules])
        session.run(str(python), "-c", imports, external=True)
        session.log(f"{extra}: installed, and imports {', '.join(modules) or 'facade.models'}")


@nox.session(python="3.13")
def released_tests(session: nox.Session) -> None:
    """Collect the tests of the sdist in dist, with facade as the wheel has it."""
    (sdist,), (wheel,) = Path("dist").resolve().glob("*.tar.gz"), Path("dist").resolve().glob("*.whl")
    session.install(str(wheel), *nox.project.dependency_groups(PROJECT, "test"))
    session.chdir(session.create_tmp())
    shutil.unpack_archive(sdist, filter="data")
    session.chdir(sdist.name.removesuffix(".tar.gz"))
    session.run("pytest", "--collect-only", "-qq", "-n0", silent=True)
