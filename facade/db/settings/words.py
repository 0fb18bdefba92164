"""Connection options: the words of libpq and of each driver, and how each driver takes them.

A word means the same to every driver of PostgreSQL that reads them, or the one that cannot do what it says refuses it. Only how a
driver keeps its prepared statements is nobody else's business. Which words there are, and what a driver makes of them, stands
in the driver's record.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from facade.drivers import DRIVERS, driver_of_url
from facade.drivers.postgresql import LIBPQ, number, plain

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from facade.drivers.driver import Driver

_KNOWN = frozenset(word for driver in DRIVERS for word in driver.words)
_FALSE = frozenset({"0", "false", "off", "no"})


def for_driver(url: URL, options: Mapping[str, Any]) -> tuple[URL, dict[str, Any]]:
    """Return the URL and the driver's arguments; PostgreSQL's options are understood in either driver's words.

    Raises ValueError, which names the word, for what the driver does not know or cannot do.
    """
    translate = driver_of_url(url).translate
    if translate is None or not _is_read(url):
        return url, dict(options)
    return url.set(query={}), translate(_words(url, options))


def is_honoured(url: URL, options: Mapping[str, Any]) -> bool:
    """Tell whether a driver can do all that the options say."""
    try:
        for_driver(url, options)
    except ValueError:
        return False
    return True


def check_words(url: URL, options: Mapping[str, Any]) -> None:
    """Raise ValueError for what no driver of PostgreSQL knows."""
    if _is_read(url):
        _words(url, options)


def check_arguments(driver: Driver, arguments: Iterable[str]) -> None:
    """Raise ValueError for an argument that the driver, as it is installed, will not take."""
    known = driver.known()
    for name in sorted(set(arguments) - known) if known else ():
        raise ValueError(_unknown(name, known, f"The driver {driver.name}"))


def completed(url: URL, options: Mapping[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the driver's arguments with what the options want done beside the driver; raises ValueError as above."""
    complete = driver_of_url(url).complete
    return arguments if complete is None else complete(_words(url, options), arguments)


def _is_read(url: URL) -> bool:
    return url.get_backend_name() == "postgresql" and driver_of_url(url).translate is not None


def _words(url: URL, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the URL and the options say, checked as far as all drivers agree."""
    given = {name: value for name, value in {**url.query, **options}.items() if name != "plugin"}
    for name in given:
        if name not in _KNOWN:
            raise ValueError(
                _unknown(name, _KNOWN, "PostgreSQL")
                + " Settings of the server are written {'options': '-c name=value'}."
            )
    words = {name: plain(name, value) for name, value in given.items() if not _is_unset(name, value)}
    if str(words.pop("replication", "off")).lower() not in _FALSE:
        raise ValueError("replication: such a connection runs no queries.")
    return {**words, **_servers(words)}


def _is_unset(name: str, value: object) -> bool:
    """Tell whether a word of libpq's has the value that stands for its default."""
    return name in LIBPQ and (value is None or value == "")


def _servers(words: Mapping[str, Any]) -> dict[str, Any]:
    """Read the names and ports of several servers, or of one, in any of the forms in which they may be written."""
    if not {"host", "port"} & words.keys():
        return {}
    given = words.get("host", ())
    hosts = [*given] if isinstance(given, (tuple, list)) else str(given).split(",") if given else []
    ports = words.get("port", ())
    ports = [*ports] if isinstance(ports, (tuple, list)) else str(ports).split(",")
    if not ports:  # SQLAlchemy's form: host=one:5432&host=other:5433
        pairs = [split_server(server) for server in hosts]
        hosts, ports = [host for host, _ in pairs], [port for _, port in pairs]
    if len(ports) > 1 and len(ports) != len(hosts):
        raise ValueError(f"port: there are {len(ports)} ports for {len(hosts)} hosts.")
    ports = [number("port", port, int) if port else "" for port in ports]
    return {**({"host": hosts} if hosts else {}), **({"port": ports} if any(ports) else {})}


def split_server(text: str) -> tuple[str, str]:
    """Split ``host:port``; an IPv6 address stands in brackets then, and a folder of sockets has no port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    if text.startswith("/") or text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _unknown(name: str, known: Iterable[str], who: str) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{who} knows no option {name!r}.{hint}"
