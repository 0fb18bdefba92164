"""The admin of the flights in a real browser, from the login to a deletion.

`FACADE_PICTURES=1` stores the pictures of docs/admin.md, too.
"""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

import facade
from facade.cli.flights.data import SOURCES
from facade.cli.flights.models import MODELS, Airline, Airport, Flight, Plane
from facade.configuration import configure
from facade.contrib.admin import Admin, InlineModelView, ModelView
from facade.db.connection import close_all
from tests.cinema import Door
from tests.serving import serving

FIGURES = Path(__file__).parent.parent / "docs" / "figures"
DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium")
FLIGHTS = 400
HERE = "http://127.0.0.1:"
NOWHERE = "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"  # pages need no other host
WAIT = 30  # seconds, on a busy machine

pytestmark = pytest.mark.skipif(
    not (DRIVER and BROWSER) and "CI" not in os.environ,
    reason="chromium and chromium-driver are not installed",
)


class PlaneFlights(InlineModelView):
    model = Flight
    fk_attr = "plane"
    menu_label = "Flights"
    fields = (
        "date",
        "airline",
        "number",
        "origin",
        "dest",
        "sched_dep_time",
        "sched_arr_time",
        "distance",
        "time_hour",
    )


def application():
    admin = Admin(
        title="Flights",
        auth_provider=Door(),
        secret_key="key",
        middlewares=[Middleware(SessionMiddleware, secret_key="session")],
    )
    admin.add_view(ModelView(Airline, icon="fa fa-ticket"))
    admin.add_view(ModelView(Airport, icon="fa fa-tower-observation"))
    admin.add_view(ModelView(Plane, icon="fa fa-plane", inlines=[PlaneFlights]))
    admin.add_view(
        ModelView(
            Flight,
            icon="fa fa-plane-departure",
            fields=["date", "airline", "number", "origin", "dep_delay", "destination", "plane", "distance"],
            search_fields=["airline__name", "destination__name", "dest", "tailnum"],
        )
    )

    @asynccontextmanager
    async def lifespan(app):
        yield
        await facade.aclose_all()

    app = Starlette(lifespan=lifespan)
    admin.mount_to(app)
    return app


@contextmanager
def served(app):
    with serving(app, ws="none") as port:
        yield f"http://127.0.0.1:{port}/admin"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of an admin of some flights."""
    configure(DATABASES={"default": f"sqlite:///{tmp_path_factory.mktemp('flights')}/flights.sqlite3"})
    facade.create_all(models=list(MODELS))
    make = {model: rows for model, _, rows in SOURCES}
    flights = list(islice(make[Flight](), FLIGHTS))
    flown = {flight.plane_id for flight in flights}
    Airline.objects.bulk_create(list(make[Airline]()))
    Airport.objects.bulk_create(list(make[Airport]()))
    Plane.objects.bulk_create([plane for plane in make[Plane]() if plane.tailnum in flown])
    Flight.objects.bulk_create(flights)
    with served(application()) as address:
        yield address
    close_all()
    configure(DATABASES={})


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1200,900",
        NOWHERE,
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Person:
    """Looks at pages, clicks and types."""

    def __init__(self, browser, site):
        self.browser, self.site = browser, site

    def open(self, path):
        self.browser.get(f"{self.site}/{path}")

    def find(self, css):
        return WebDriverWait(self.browser, WAIT).until(
            lambda browser: browser.find_element(By.CSS_SELECTOR, css)
        )

    def all(self, css):
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def type(self, css, text):
        field = self.find(css)
        field.clear()
        field.send_keys(text)

    def click(self, css):
        """Click, by the page's own script: what is animated need not stand still."""
        self.browser.execute_script("arguments[0].click()", self.find(css))

    def follow(self, css):
        """Click, and wait for the page that comes."""
        page = self.find("html")
        self.click(css)
        self.wait_for(lambda browser: gone(page))

    def wait_for(self, condition):
        return WebDriverWait(self.browser, WAIT).until(condition)

    def column(self, name):
        return [cell.text for cell in self.all(f"tbody td[data-column={name}]")]

    def texts(self, css):
        """What elements say at one moment, while the page may be changing."""
        script = (
            "return Array.from(document.querySelectorAll(arguments[0]), found => found.textContent.trim())"
        )
        return self.browser.execute_script(script, css)

    def chosen(self, name):
        return self.all(f"[name='{name}'] option:checked")

    def photograph(self, name):
        if "FACADE_PICTURES" in os.environ:
            self.browser.save_screenshot(FIGURES / f"admin-{name}.png")

    def said(self):
        return self.find("body").text


def gone(element):
    try:
        element.is_enabled()
    except Exception:
        return True
    return False


@pytest.fixture
def person(browser, site):
    return Person(browser, site)


def test_a_person_works_with_the_admin(person):
    person.open("flight/list")
    assert "/login?" in person.browser.current_url  # nobody comes in without a name
    person.type("[name=username]", "ada")
    person.type("[name=password]", "sesame")
    person.follow("button[type=submit]")
    assert "Wrong name or password." in person.said()
    person.type("[name=username]", "ada")
    person.type("[name=password]", "open sesame")
    person.follow("button[type=submit]")
    assert person.browser.current_url.endswith("/flight/list")

    # Search, filter and order; each shows in the address, too.
    person.type("input[type=search]", "jetblue")
    person.follow("form:has(input[type=search]) button[type=submit]")
    assert set(person.column("airline")) == {"B6 JetBlue Airways"}
    person.click("#filter-builder-dropdown button")
    person.click("[data-sa-action=add-filter-row]")
    Select(person.find("[data-sa-hook=filter-row-field]")).select_by_value("dep_delay")
    Select(person.find("[data-sa-hook=filter-row-op]")).select_by_value("gte")
    person.type("[data-sa-hook=filter-row-value]", "30")
    person.follow("[data-sa-hook=filter-form] button[type=submit]")
    delays = [int(delay) for delay in person.column("dep_delay")]
    assert delays
    assert min(delays) >= 30
    person.follow("th[data-column=dep_delay] a, th a[href*='sort=dep_delay']")
    assert [int(delay) for delay in person.column("dep_delay")] == sorted(delays)
    person.photograph("list")

    # A form with children: one value of the parent and one child are changed, and a child is added.
    plane = Plane.objects.exclude(flights=None).order_by("pk").first()
    person.open(f"plane/edit?pk={plane.pk}")
    person.type("[name=seats]", "777")
    person.type("[name='inlines.flight.0.number']", "4711")
    person.click(".inline-add-row")
    person.wait_for(lambda browser: person.chosen("inlines.flight.0.airline"))  # asked of the server
    person.photograph("inline")
    # The box of the added row finds an airline by a word of its name.
    added = plane.flights.count()
    person.browser.execute_script(f"$(\"[name='inlines.flight.{added}.airline']\").select2('open')")
    person.find(".select2-search__field").send_keys("jetblue")
    person.wait_for(lambda browser: person.texts(".select2-results li") == ["B6 JetBlue Airways"])
    person.find(".select2-search__field").send_keys(Keys.ENTER)
    assert [option.get_attribute("value") for option in person.chosen(f"inlines.flight.{added}.airline")] == [
        "B6"
    ]
    person.click(f".inline-row:nth-child({added + 1}) .inline-delete-btn")
    person.follow(".card-footer button[type=submit]:not([name])")
    assert "was changed successfully" in person.said()
    plane.refresh_from_db()
    assert plane.seats == 777
    assert plane.flights.filter(number=4711).exists()

    # What the model refuses stands at its field, and what was typed stays.
    person.open("airline/create")
    person.type("[name=carrier]", "UA")
    person.type("[name=name]", "Another United")
    person.follow(".card-footer button[type=submit]:not([name])")
    assert person.find("#carrier-error").text == "Airline with this Carrier already exists."
    assert person.find("[name=name]").get_attribute("value") == "Another United"
    person.photograph("error")
    person.type("[name=carrier]", "XX")
    person.follow(".card-footer button[type=submit]:not([name])")
    assert Airline.objects.get(pk="XX").name == "Another United"

    # A deletion shows what goes along before it happens.
    person.open("airline/list?page_size=25")
    going = Flight.objects.filter(airline="EV").count()
    for key in ("EV", "XX"):
        person.click(f"tr[data-sa-pk={key}] [data-sa-hook=row-checkbox]")
    person.follow("#actions-dropdown [data-sa-name=delete]")
    assert f"{going} flights" in person.find("#going").text
    person.photograph("delete")
    person.follow("#delete")
    assert "2 items were successfully deleted." in person.said()
    assert not Airline.objects.filter(pk__in=["EV", "XX"]).exists()
    assert not Flight.objects.filter(airline="EV").exists()
    assert person.all("tr[data-sa-pk=UA]")
    # No script failed, and no page asked another host for anything; what is left are the answers above.
    log = [entry["message"] for entry in person.browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [
        message for message in log if not message.startswith(HERE) or "a status of 4" not in message
    ] == []
