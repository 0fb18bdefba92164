"""``facade demo``: it runs to its end on every database, tells the truth, fits its terminal, and refuses in one line."""

from __future__ import annotations

import ast
import html
import inspect
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import facade
from facade import cli
from facade.cli import demo, pages, tour
from facade.cli.flights import data, service
from facade.cli.flights.models import MODELS
from facade.cli.layout import python_lines, sql_lines
from facade.cli.pages import source
from facade.cli.picture import Recorder
from facade.cli.program import app
from facade.cli.terminal import spell_signs
from facade.configuration import override
from facade.foundation.imports import later

ROOT = Path(facade.__file__).parent.parent
WIDTH = 80
FUNCTIONS = [
    function for stop in tour.STOPS for function in (stop.sync, stop.awaited) if function is not None
]
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def printed():
    """What one run of the whole tour prints; its file is kept until the end of these tests."""
    done = CliRunner().invoke(app, ["demo", "--full", "--keep"], env={"COLUMNS": str(WIDTH)})
    assert done.exit_code == 0, done.output
    yield done.output
    shutil.rmtree(kept_file(done.output).parent)


def kept_file(printed):
    return Path(printed.rpartition("sqlite:///")[2].strip())


def test_it_shows_every_stop_once_and_sums_them_up(printed):
    stops, _, summary = printed.partition("Summary ──")
    for number, stop in enumerate(tour.STOPS, 1):
        assert stops.count(f"{number}/{len(tour.STOPS) + 1} {stop.title} ─") == 1
        assert re.search(rf"^{stop.title}( +[\d.,]+){{5}} *$", summary, re.MULTILINE), stop.title
    assert re.search(r"^Totals +1 +1 ", summary, re.MULTILINE)
    assert re.search(r"^A stream +1 +9,161 ", summary, re.MULTILINE)


def test_both_faces_give_the_same(printed):
    assert f"{len(tour.STOPS)} of {len(tour.STOPS)} steps gave the same" in printed


def test_a_difference_between_the_faces_would_be_told():
    one = pages.Run([1, 2], ("SELECT 1",), 0.1, 0.1)
    assert one.gives_the_same_as(pages.Run([1, 2], ("SELECT 2",), 0.2, 0.2))
    assert not one.gives_the_same_as(pages.Run([1, 3], ("SELECT 1",), 0.1, 0.1))
    assert not one.gives_the_same_as(pages.Run([1, 2], ("SELECT 1", "SELECT 2"), 0.1, 0.1))


def test_it_shows_the_real_figures(printed):
    assert "flights: 27004, cancelled: 521" in printed
    assert "'departures': 4637" in printed
    assert "flights: 9161, miles: 11304774" in printed


def test_it_shows_sql_and_statement_counts(printed):
    assert re.search(r'LEFT OUTER JOIN "?nycflights_airport', printed)
    assert printed.count("\n2 statements; sync ") == 2


def test_the_failed_savepoint_leaves_the_outer_work(printed):
    _, _, rows = printed.partition("A savepoint ──")[2].partition("ORDER BY")
    assert "→ UA United Air Lines Inc.\n    → ZZ Zigzag Air\n9 statements" in rows


def test_the_stream_needs_little_memory(printed):
    peak, whole = map(float, re.search(r"Peak memory: ([\d.]+) MB; ([\d.]+) MB", printed).groups())
    assert peak < whole / 5


def test_it_has_a_figure_for_many_sync_readers_beside_that_for_many_async_ones(printed):
    assert (
        len(re.findall(r"^  (?:sync|async), .*: 400 statements in .* a second$", printed, re.MULTILINE)) == 2
    )


def test_it_tells_which_threads_there_are(printed):
    assert re.search(r"Threads beside the event loop's: .*\d+\sof\saiosqlite", printed)


def test_it_ends_with_what_to_do_next_and_the_readme_counts_the_pages(printed):
    _, _, end = printed.partition("What next ──")
    assert re.findall(r"^  ((?:facade|docs)\S*(?: \S+)*)", end, re.MULTILINE) == [
        "facade demo --serve",
        "facade demo --database URL",
        "docs/tutorial.md",
    ]
    readme = (ROOT / "README.md").read_text()
    assert len([stop for stop in tour.STOPS if stop.short]) == 5
    assert "six pages" in readme
    assert len(tour.STOPS) == 15
    assert "all sixteen steps" in readme
    assert (ROOT / "docs" / "tutorial.md").exists()


def test_no_line_is_wider_than_the_terminal(printed):
    assert [line for line in printed.splitlines() if len(line) > WIDTH and "sqlite:///" not in line] == []


def test_it_fits_into_a_narrow_terminal():
    done = CliRunner().invoke(app, ["demo"], env={"COLUMNS": "40"})
    assert done.exit_code == 0, done.output
    assert "6/6" in done.output
    assert [line for line in done.output.splitlines() if len(line) > 40] == []


@pytest.mark.vendors("postgres")
def test_it_runs_on_the_database_of_an_url_page_by_page_and_leaves_nothing(database):
    done = CliRunner().invoke(app, ["demo", "--database", database.url, "--pause"], input="\n\nq\n")
    assert done.exit_code == 0, done.output
    assert "3/6" in done.output
    assert "4/6" not in done.output
    assert "3 of 3 steps gave the same" in done.output
    tables = database.observe("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert not [name for (name,) in tables if name.startswith("nycflights")]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be reached"),
        ("oracle+oracledb://127.0.0.1/none", "is not installed: pip install oracledb"),
        ("no url at all", "cannot be used: DATABASES['default']: Could not parse"),
        ("dbase:///x", "cannot be used: DATABASES['default']: Can't load plugin"),
        (
            "sqlite://flights.db",
            "cannot be used: DATABASES['default']: 'flights.db' stands where a server would",
        ),
    ],
)
def test_what_cannot_be_used_gets_one_clear_line_and_exit_code_1(url, text):
    done = CliRunner().invoke(app, ["demo", "--database", url])
    assert done.exit_code == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.output


def test_a_database_that_was_reached_and_takes_no_tables_is_not_called_unreachable(tmp_path):
    (tmp_path / "mine.sqlite3").touch()
    url = f"sqlite:///file:{tmp_path / 'mine.sqlite3'}?mode=ro&uri=true"
    done = CliRunner().invoke(app, ["demo", "--database", url])
    assert done.exit_code == 1
    assert "was reached, and the tables cannot be made: attempt to write a readonly database" in done.stderr


def test_the_file_can_be_kept(printed):
    assert kept_file(printed).stat().st_size > 1_000_000


@pytest.fixture(scope="module")
def served(printed):
    """A client of the service on the flights that the run has left."""
    with override(DATABASES={"default": f"sqlite:///{kept_file(printed)}"}):
        yield TestClient(
            service.application(), base_url=f"http://{service.HOST}", client=(service.HOST, 50000)
        )
        facade.close_all()


def test_the_service_has_the_flights_page_by_page(served):
    page = served.get("/flights?origin=JFK&date=2013-01-31&size=2").json()
    assert (page["total"], page["has_next"], len(page["items"])) == (302, True, 2)
    assert page["items"][0]["origin"]["name"] == "John F Kennedy Intl"
    lines = served.get("/flights.csv?search=honolulu&date__gte=2013-01-31").text.splitlines()
    assert lines[0] == "date,airline__name,number,origin,dest,dep_delay,distance"
    assert [line.split(",")[4] for line in lines[1:]] == ["HNL", "HNL"]
    first = served.get("/flights/longest-waits?size=1").json()
    second = served.get("/flights/longest-waits", params={"size": 1, "cursor": first["next"]}).json()
    assert [found["items"][0]["dep_delay"] for found in (first, second)] == [1301, 1126]
    assert served.get("/airlines/busiest?first=1").json()[0]["departures"] == 4637
    assert len(served.get("/airlines").json()) == 16


def test_the_service_checks_what_it_is_given(served):
    assert served.patch("/flights/1", json={"dep_delay": 7}).json()["dep_delay"] == 7
    assert served.patch("/flights/1", json={"dep_delay": "late"}).status_code == 422
    assert served.get("/flights/1").json()["dep_delay"] == 7
    assert served.get("/flights/0").status_code == 404
    assert served.get("/flights/1", headers={"host": "elsewhere.example"}).status_code == 400
    assert (
        served.get("/flights?dep_delay__gt=1").status_code == 422
    )  # not allowed, and no filter would be wrong


def test_the_front_page_of_the_service_leads_to_pages_that_are_there(served):
    links = re.findall(r'href="([^"]+)"', served.get("/").text)
    assert {"/docs", "/openapi.json", "/admin", "/airlines"} < set(links)
    assert {link: served.get(html.unescape(link)).status_code for link in links} == dict.fromkeys(links, 200)


def test_the_admin_of_the_service_lists_and_searches_all_models(served):
    for model in MODELS:
        assert served.get(f"/admin/{model._meta.model_name}/list").status_code == 200
    found = served.get("/admin/airline/list", params={"q": "jetblue"}).text
    assert "JetBlue" in found
    assert "Envoy" not in found


def test_the_service_answers_this_machine_only_and_closes_on_ctrl_c():
    program = "from facade.cli.flights import service as s; p = s.listening(0); print(p.getsockname(), flush=True); s.serve(p)"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    host, port = ast.literal_eval(process.stdout.readline())
    assert host == "127.0.0.1"
    while True:
        try:
            assert httpx.get(f"http://{host}:{port}/openapi.json").status_code == 200
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=30)
    assert (process.returncode, told) == (0, ("", ""))


def test_a_port_that_is_taken_is_told_in_one_line():
    with service.listening(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["demo", "--serve", "--port", str(port)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"Port {port} cannot be had: Address already in use" in done.stderr


def test_without_its_packages_the_service_says_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "facade.cli.flights.service")
    monkeypatch.setattr(demo, "service", later("facade.cli.flights.service"))
    done = CliRunner().invoke(app, ["demo", "--serve"])
    assert done.exit_code == 1
    assert done.stderr == "The service needs uvicorn: pip install 'sqlalchemy-facade[demo]'\n"


def test_the_picture_shows_the_pages_in_turn():
    recorder = Recorder()
    recorder.begin()
    for page in ("one & two\nthree", "four"):
        recorder.console.print(page, style="bold")
        recorder.turns()
    drawn = ET.fromstring(recorder.svg())
    pages = [element for element in drawn if element.get("class") == "page"]
    assert [shown(page) for page in pages] == [["$ facade demo", "one & two", "three"], ["four"]]
    assert "animation: turn 14s" in drawn[0].text
    assert recorder.svg().count("http") == 1  # the name space: nothing comes from elsewhere


def test_the_picture_of_the_readme_is_one_of_this_tour():
    picture = ET.parse(ROOT / "docs" / "figures" / "demo.svg").getroot()
    pages = [shown(element) for element in picture if element.get("class") == "page"]
    stops = [stop for stop in tour.STOPS if stop.short]
    assert len(pages) == len(stops) + 1
    for stop, page in zip(stops, pages, strict=False):
        code = python_lines(source(stop.sync), WIDTH - 2)
        drawn = {"".join(line.split()) for line in page}
        assert [line for line in code if "".join(line.split()) not in drawn] == []
        assert stop.title in page[0] + page[1]


def shown(page):
    """Return the lines that an element of a picture has."""
    lines = {}
    for text in page.iter("{http://www.w3.org/2000/svg}text"):
        if "clip-path" in text.attrib:
            lines.setdefault(text.get("y"), []).append(text)
    told = [
        "".join(one.text for one in sorted(row, key=lambda one: float(one.get("x"))))
        for row in lines.values()
    ]
    return [line for text in told if (line := text.replace("\xa0", " ").strip())]


def test_without_typer_the_command_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "facade.cli.program")
    with pytest.raises(SystemExit, match=r"pip install 'sqlalchemy-facade\[cli\]'"):
        cli.main()
    import_module("facade.cli")


def test_the_package_is_the_command_and_tells_its_version():
    done = subprocess.run(
        [sys.executable, "-m", "facade", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"facade {facade.__version__}\n"


@pytest.fixture
def main(monkeypatch):
    """Run the program with an output of the test's own, in this process; return its exit code."""

    def run(stream, *arguments):
        monkeypatch.setattr(sys, "argv", ["facade", *arguments])
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0

    monkeypatch.setenv("COLUMNS", str(WIDTH))
    return run


def test_a_terminal_that_knows_ascii_only_gets_ascii(main):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert main(stream, "init", "--help") == 0
    shown = stream.buffer.getvalue().decode("ascii")
    assert "facade.configure(DATABASES=...)" in " ".join(shown.replace("|", "").split())


def test_errors_are_spelled_for_such_a_terminal_too_and_other_signs_escaped(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stderr", stream)
    spell_signs(on=True)
    stream.write("tables of é … → done")
    stream.flush()
    assert stream.buffer.getvalue() == rb"tables of \xe9 ... -> done"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_in_one_line(main, capsys):
    with FULL.open("w") as stream:
        assert main(stream, "demo", "--help") == 1
    assert capsys.readouterr().err == "The output cannot be written: No space left on device\n"


def test_a_closed_pipe_ends_it_without_a_word(main, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        assert main(stream, "demo", "--help") == 1
    assert capsys.readouterr().err == ""


def test_the_data_are_those_of_january():
    assert [len(data.rows(name)) for _, name, _ in data.SOURCES] == [16, 1_458, 3_322, 2_226, 27_004]


def test_the_shown_code_is_the_code_that_runs():
    shown = pages.source(tour.busiest)
    assert shown.startswith("Flight.objects.values(")
    assert shown.endswith('.order_by("-departures")[:5]')
    assert pages.source(tour.amonth).startswith("await Flight.objects.aaggregate(")
    assert pages.source(tour.reader).startswith("flight = Flight")


def test_what_is_said_of_the_async_form_is_in_it():
    for stop in tour.STOPS:
        if stop.awaited is not None:
            written = inspect.getsource(stop.awaited)
            assert [word for word in stop.other.split(", ") if word.removesuffix(")") not in written] == []


@pytest.mark.parametrize("width", [38, 40, 57, 78, 110])
def test_code_is_broken_to_any_width_and_means_the_same(width):
    for function in FUNCTIONS:
        written = inspect.getsource(function)
        head, _, body = written.partition(":\n")
        lines = python_lines(textwrap.dedent(body), width)
        again = f"{head}:\n" + textwrap.indent("\n".join(lines), "    ")
        assert ast.dump(ast.parse(again)) == ast.dump(ast.parse(written))
        shown = python_lines(pages.source(function), width)
        if function in [stop.sync for stop in tour.STOPS]:
            assert [line for line in shown if len(line) > width] == []


def test_sql_has_a_line_for_each_clause_and_is_not_broken_in_names_and_texts():
    statement = "SELECT a FROM t LEFT OUTER JOIN u ON t.id = u.id WHERE b = 'FROM x' AND c IN (SELECT d FROM e) LIMIT 5"
    assert sql_lines(statement, 80) == [
        "SELECT a",
        "FROM t",
        "LEFT OUTER JOIN u ON t.id = u.id",
        "WHERE b = 'FROM x' AND c IN (SELECT d FROM e)",
        "LIMIT 5",
    ]
    assert sql_lines("SELECT a_long_name, another_long_name", 24) == [
        "SELECT a_long_name,",
        "  another_long_name",
    ]


def test_long_statements_are_shortened_in_their_column_list_only():
    columns = ", ".join(f"column_number_{number}" for number in range(30))
    shown = pages.short(f"SELECT {columns} FROM t WHERE id = 1")
    assert shown.startswith("SELECT column_number_0")
    assert shown.endswith(", … FROM t WHERE id = 1")
    assert pages.short("SELECT a, b FROM t") == "SELECT a, b FROM t"
    nested = f"SELECT a, b FROM t WHERE id IN (SELECT {columns} FROM u)"
    assert pages.short(nested) == nested
