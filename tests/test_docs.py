"""The examples of README.md and docs/ do what they say."""

from __future__ import annotations
import __future__ as futures

import ast
import asyncio
import doctest
import inspect
import io
import re
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import facade
from facade.configuration import override
from facade.testing import isolate_apps

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | futures.annotations.compiler_flag


class Reader:
    """Runs the code of one page in one namespace, as a prompt that knows ``await``."""

    def __init__(self, page):
        self.page = page
        self.names = {"__name__": "library.models"}
        self.runner = asyncio.Runner()
        self.checker = doctest.OutputChecker()

    def read(self):
        text = self.page.read_text()
        with self.runner:
            for block in FENCE.finditer(text):
                line = text[: block.start()].count("\n") + 2
                self.run_module(block[2], line) if block[1] == "python" else self.run_session(block[2], line)
            self.runner.run(facade.close_all_async())

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
        code = compile(source, str(self.page), mode, flags=FLAGS)
        result = eval(code, self.names)
        if code.co_flags & inspect.CO_COROUTINE:
            self.runner.run(result)
            self.runner.run(others_done())  # the prompt's loop goes on: what was left behind comes to its end


async def others_done():
    await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_on_each_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    with override(FACADE_SHAPE_CACHE=True), isolate_apps("library"):  # the pages show the cache at work
        try:
            Reader(page).read()
        finally:
            facade.close_all()
