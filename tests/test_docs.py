"""The examples of README.md and docs/ do what they say.

A page is read from its beginning to its end, in one namespace, as at IPython's prompt: a plain statement runs outside of the
event loop, and one with ``await`` in it. What stands under **Sync** and **Async** are two ways through the page, and each
is gone at the prompt that it is for: ``python``, which knows no ``await``, and ``python -m asyncio``, where a loop runs all the time.

A page that says ``<!-- databases: sqlite, postgresql -->`` is read on each of them, on PostgreSQL with the server's URL in
the place of ``sqlite:///….sqlite3``. ``postgresql://localhost/…`` is the server everywhere. What says ``<!-- prompt: notebook -->`` is read by a kernel.
"""

from __future__ import annotations
import __future__ as futures

import ast
import asyncio
import doctest
import inspect
import io
import os
import re
import sys
import traceback
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

import pytest
from jupyter_client.manager import start_new_kernel

import facade
from docs.extensions import tabs
from facade.configuration import override
from facade.testing import isolate_apps

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | futures.annotations.compiler_flag


PLACE = re.compile(r"postgresql://localhost/\w+")
FILE = re.compile(r"sqlite:///\w+\.sqlite3")
DATABASES = re.compile(r"^<!-- databases: (.*) -->$", re.MULTILINE)
TAB = re.compile(r"^\*\*(Sync|Async)\*\*\n\n\Z", re.MULTILINE)


def blocks_of(text, left_out=None):
    """Yield the blocks of a page's code but for those that are for the other face."""
    for block in FENCE.finditer(text):
        face = TAB.search(text[: block.start()])
        if face is None or face[1] != left_out:
            yield block


def has_two_ways(text):
    return len(list(blocks_of(text))) > len(list(blocks_of(text, "Async")))


@contextmanager
def among_modules(module):
    """Let pydantic and msgspec find the names that annotations of a page use."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


class Reader:
    """Runs the code of one page in one namespace, as a prompt that knows ``await``."""

    flags = FLAGS
    left_out = None

    def __init__(self, page, server=None):
        self.page = page
        self.server = server
        self.module = ModuleType("library.models")
        self.names = vars(self.module)
        self.runner = asyncio.Runner()
        self.checker = doctest.OutputChecker()

    def read(self):
        with among_modules(self.module), self.runner:
            self.read_blocks()
            self.runner.run(facade.close_all_async())

    def read_blocks(self):
        text = self.page.read_text()
        for block in blocks_of(text, self.left_out):
            line = text[: block.start()].count("\n") + 2
            source = self.on_the_server(block[2])
            self.run_module(source, line) if block[1] == "python" else self.run_session(source, line)

    def on_the_server(self, source):
        if self.server is None:
            return source
        default, of_a_file = self.server
        source = PLACE.sub(default, source)
        return FILE.sub(default, source) if of_a_file else source

    def run_module(self, source, line):
        self.run("\n" * (line - 1) + source, "exec")

    def run_session(self, source, line):
        for example in doctest.DocTestParser().get_examples(source):
            place = line + example.lineno
            printed = self.printed("\n" * (place - 1) + example.source)
            wanted = f"{example.exc_msg}" if example.exc_msg else example.want
            if not self.checker.check_output(wanted, printed, OPTIONS):
                difference = self.checker.output_difference(example, printed, OPTIONS)
                pytest.fail(f"{self.page.name}, line {place}:\n{example.source}{difference}", pytrace=False)

    def printed(self, source):
        stream = io.StringIO()
        with redirect_stdout(stream):
            try:
                self.run(source, "single")
            except Exception as error:
                if isinstance(error, AssertionError):
                    raise
                return "".join(traceback.format_exception_only(error))
        return stream.getvalue()

    def run(self, source, mode):
        code = compile(source, str(self.page), mode, flags=self.flags)
        self.evaluate(code)

    def evaluate(self, code):
        result = eval(code, self.names)
        if code.co_flags & inspect.CO_COROUTINE:
            self.runner.run(result)
            self.runner.run(others_done())  # the prompt's loop goes on: what was left behind comes to its end


class SyncReader(Reader):
    """Python's own prompt."""

    flags = futures.annotations.compiler_flag
    left_out = "Async"


class AsyncReader(Reader):
    """The prompt of ``python -m asyncio``."""

    left_out = "Sync"

    def evaluate(self, code):
        self.runner.run(self.inside(code))

    async def inside(self, code):
        result = eval(code, self.names)
        if code.co_flags & inspect.CO_COROUTINE:
            await result
            await others_done()


class NotebookReader(Reader):
    """A kernel of Jupyter's; each block or example is a cell."""

    def read(self):
        manager, self.client = start_new_kernel(
            kernel_name="python3", cwd=str(Path.cwd()), env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        try:
            self.read_blocks()
        finally:
            self.client.stop_channels()
            manager.shutdown_kernel(now=True)

    def run_module(self, source, line):
        assert self.printed(source) == ""

    def printed(self, source):
        told = []
        self.client.execute_interactive(
            source.strip(), timeout=60, output_hook=lambda message: told.append(message["content"])
        )
        return "".join(words for content in told if (words := shown(content)))


def shown(content):
    """What a message of a kernel's says: printed text, the value of a cell, or an error."""
    if "data" in content:
        return content["data"]["text/plain"] + "\n"
    return f"{content['ename']}: {content['evalue']}\n" if "ename" in content else content.get("text")


async def others_done():
    await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


def readers_of(text):
    if "<!-- prompt: notebook -->" in text:
        return [NotebookReader]
    return [SyncReader, AsyncReader] if has_two_ways(text) else [Reader]


def readings():
    """Yield each page with the ways to read it, and the databases."""
    for page in PAGES:
        text = page.read_text()
        said = DATABASES.search(text)
        for reader in readers_of(text):
            for vendor in said[1].split(", ") if said else ["sqlite"]:
                words = [page.name, reader.__name__.lower().removesuffix("reader"), vendor if said else ""]
                yield pytest.param(page, reader, vendor, id="-".join(filter(None, words)))


@pytest.fixture
def server(request):
    """The URL of an empty PostgreSQL database, and whether it stands for files as well; None on pages that need no server."""
    page, vendor = (request.node.callspec.params[name] for name in ("page", "vendor"))
    if vendor != "postgresql" and not any(
        PLACE.search(block[2]) for block in FENCE.finditer(page.read_text())
    ):
        return None
    home = request.getfixturevalue("postgres_home")
    home.empty()
    return home.urls["default"], vendor == "postgresql"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if has_two_ways(page.read_text())], ids=lambda page: page.name
)
def test_each_block_of_one_face_is_a_tab_of_the_site(page):
    source = [text := page.read_text()]
    tabs.make_tabs(None, page.stem, source)
    heads = len(list(blocks_of(text))) * 2 - sum(
        len(list(blocks_of(text, face))) for face in ("Sync", "Async")
    )
    assert source[0].count(":::{tab} ") == heads


@pytest.mark.parametrize(("page", "reader", "vendor"), list(readings()))
def test_the_examples_on_each_page(page, reader, vendor, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    with override(FACADE_SHAPE_CACHE=True), isolate_apps("library"):  # the pages show the cache at work
        try:
            reader(page, server).read()
        finally:
            facade.close_all()
