"""What a URL or OPTIONS say of a connection holds on both faces and for each driver, or is refused by its name."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import make_url

from facade import bridge
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.db.settings import config, words
from facade.exceptions import ImproperlyConfigured, OperationalError
from facade.transaction import atomic
from tests.fix_databases import free_port

LIBPQ = {word.keyword.decode() for word in psycopg.pq.Conninfo.get_defaults()}
AUTOMATIC, PSYCOPG, ASYNCPG = "postgresql", "postgresql+psycopg", "postgresql+asyncpg"
DRIVERS = [AUTOMATIC, PSYCOPG, ASYNCPG]


def ask(sql="SELECT 1"):
    """Return the first value of the first row."""
    return connections["default"].fetch(Statement(sql, reads=True, returns=True), ())[0][0]


def use(url, driver=AUTOMATIC, given=None, **keys):
    """Configure a database by its URL, OPTIONS and other keys; returns it."""
    url = url.replace("postgresql:", f"{driver}:", 1)
    configure(DATABASES={"default": {"URL": url, "OPTIONS": given or {}, **keys}})
    return connections["default"]


def async_driver(given, driver=AUTOMATIC):
    return use("postgresql://h/d", driver, given).settings.async_url.get_driver_name()


def arguments(driver, given):
    return words.for_driver(make_url(f"{driver}://h/d"), given)[1]


# -- every word ---------------------------------------------------------------------------------------------------

# A value that asyncpg honours, and one that it does not; None: there is none such.
VALUES = {
    "application_name": ("web", None),
    "channel_binding": ("prefer", "require"),
    "client_encoding": ("utf8", "latin1"),
    "connect_timeout": ("3", None),
    "dbname": ("d", None),
    "fallback_application_name": ("web", None),
    "gssdelegation": ("0", "1"),
    "gssencmode": ("disable", "require"),
    "gsslib": ("gssapi", None),
    "host": ("h1,h2", None),
    "hostaddr": (None, "127.0.0.1"),
    "keepalives": ("1", None),
    "keepalives_count": ("3", None),
    "keepalives_idle": ("30", None),
    "keepalives_interval": ("10", None),
    "krbsrvname": ("postgres", None),
    "load_balance_hosts": ("disable", "random"),
    "max_protocol_version": ("latest", None),
    "min_protocol_version": ("3.0", "3.2"),
    "oauth_client_id": (None, "x"),
    "oauth_client_secret": (None, "x"),
    "oauth_issuer": (None, "x"),
    "oauth_scope": (None, "x"),
    "options": ("-c jit=off", None),
    "passfile": ("/dev/null", None),
    "password": ("secret", None),
    "port": ("5433", None),
    "replication": ("false", None),
    "require_auth": (None, "scram-sha-256"),
    "requirepeer": (None, "postgres"),
    "scram_client_key": (None, "x"),
    "scram_server_key": (None, "x"),
    "service": (None, "library"),
    "sslcert": (__file__, None),
    "sslcertmode": ("allow", "require"),
    "sslcompression": ("0", "1"),
    "sslcrl": (__file__, None),
    "sslcrldir": (None, "/d"),
    "sslkey": (__file__, None),
    "sslkeylogfile": (None, "/f"),
    "ssl_max_protocol_version": ("TLSv1.3", None),
    "ssl_min_protocol_version": ("TLSv1.3", None),
    "sslmode": ("verify-full", None),
    "sslnegotiation": ("direct", None),
    "sslpassword": ("secret", None),
    "sslrootcert": (__file__, None),
    "sslsni": ("1", "0"),
    "target_session_attrs": ("primary", None),
    "tcp_user_timeout": ("1000", None),
    "user": ("ada", None),
}
KNOWN = sorted(VALUES.keys() & LIBPQ)  # an older libpq knows fewer
HONOURED = [(word, VALUES[word][0]) for word in KNOWN if VALUES[word][0] is not None]
BEYOND = [(word, VALUES[word][1]) for word in KNOWN if VALUES[word][1] is not None]


def test_the_table_has_every_word_of_libpq():
    assert LIBPQ - VALUES.keys() == set()


@pytest.mark.parametrize("in_url", [True, False])
@pytest.mark.parametrize(("word", "value"), HONOURED)
def test_asyncpg_honours_it(word, value, in_url):
    given = {} if in_url else {word: value}
    url = f"postgresql://h/d?{word}={quote(value)}" if in_url else "postgresql://h/d"
    assert use(url, given=given).settings.async_url.get_driver_name() == "asyncpg"
    for lender in (connections["default"]._make_sync(), connections["default"]._make_async()):
        assert lender.engine is not None


@pytest.mark.parametrize(("word", "value"), BEYOND)
def test_what_asyncpg_cannot_do_makes_the_async_face_one_of_psycopg(word, value):
    assert async_driver({word: value}) == "psycopg"
    assert connections["default"].async_engine.dialect.driver in ("psycopg", "psycopg_async")
    assert arguments("postgresql+psycopg", {word: value}) == {word: value}


@pytest.mark.parametrize(("word", "value"), BEYOND)
def test_where_asyncpg_was_asked_for_it_is_refused_before_connecting(word, value):
    database = use("postgresql://h/d", ASYNCPG, {word: value})
    with pytest.raises(ImproperlyConfigured, match=rf"DATABASES\['default'\]: asyncpg cannot do {word}"):
        database.async_engine  # noqa: B018
    assert database.engine is not None


def test_secrets_are_not_shown():
    database = use("postgresql://h/d", ASYNCPG, {"oauth_client_secret": "hush"})
    with pytest.raises(ImproperlyConfigured) as refused:
        database.async_engine  # noqa: B018
    assert "hush" not in str(refused.value)


def test_without_psycopg_it_is_refused(monkeypatch):
    monkeypatch.setattr(config, "find_spec", lambda name: name == "asyncpg" or None)
    database = use("postgresql://h/d", given={"channel_binding": "require"})
    with pytest.raises(ImproperlyConfigured, match="channel_binding='require'.*psycopg can"):
        database.async_engine  # noqa: B018


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PGCHANNELBINDING", "require"), ("PGREQUIREAUTH", "scram-sha-256"), ("PGSERVICE", "library")],
)
def test_what_the_environment_says_counts(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert async_driver({}) == "psycopg"


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "outside"),
        ({"application_name": "web"}, "web"),
        ({"server_settings": {"application_name": "web"}}, "web"),
        ({"fallback_application_name": "web"}, "outside"),
    ],
)
def test_what_is_said_goes_before_the_environment(face, database, monkeypatch, driver, given, expected):
    monkeypatch.setenv("PGAPPNAME", "outside")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    use(database.url, driver, given)
    assert (ask("SHOW application_name"), ask("SHOW work_mem")) == (expected, "5MB")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sslrootcrt": "x"}, "knows no option 'sslrootcrt'. Did you mean 'sslrootcert'?"),
        ({"row_factory": dict}, "knows no option 'row_factory'"),
        ({"statement_timeout": "5"}, "'statement_timeout'.*{'options': '-c name=value'}"),
        ({"sslmode": "strict"}, "sslmode is one of .*verify-full, not 'strict'"),
        ({"target_session_attrs": "writer"}, "target_session_attrs is one of any, .*not 'writer'"),
        ({"replication": "database"}, "replication: such a connection runs no queries"),
        ({"host": "a,b", "port": "1,2,3"}, "there are 3 ports for 2 hosts"),
        ({"port": "many"}, "port is a number, not 'many'"),
        ({"server_side_binding": False}, "server_side_binding: values always travel beside the SQL"),
        ({"cursor_factory": object}, "cursor_factory: .*SYNC_OPTIONS or ASYNC_OPTIONS"),
    ],
)
def test_what_no_driver_does_is_refused_at_first_use(driver, given, message):
    with pytest.raises(ImproperlyConfigured, match=rf"^DATABASES\['default'\]: .*{message}"):
        use("postgresql://h/d", driver, given)


@pytest.mark.parametrize("word", ["sslrootcrt", "row_factory"])
def test_it_is_refused_in_the_url_too(word):
    configure(DATABASES={"default": f"postgresql://h/d?{word}=x"})
    with pytest.raises(ImproperlyConfigured, match=rf"DATABASES\['default'\].*'{word}'"):
        connections["default"]


def test_what_this_libpq_does_not_know_yet_is_refused_before_connecting(monkeypatch):
    monkeypatch.setattr(psycopg.pq.Conninfo, "get_defaults", list)
    with pytest.raises(ImproperlyConfigured, match="The driver psycopg knows no option"):
        use("postgresql://h/d", given={"require_auth": "none"}).engine  # noqa: B018


# -- what drivers get -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "given", "expected"),
    [
        (ASYNCPG, {"sslmode": "require", "sslrootcert": "/a b"}, {"ssl": "require", "dsn": "postgresql://?sslrootcert=%2Fa%20b"}),
        (ASYNCPG, {"sslrootcert": "system"}, {"ssl": True}),
        (ASYNCPG, {"ssl": "true"}, {"ssl": "require"}),
        (ASYNCPG, {"connect_timeout": 0}, {"timeout": None}),
        (ASYNCPG, {"dbname": "d", "user": "u"}, {"database": "d", "user": "u"}),
        (ASYNCPG, {"application_name": "a", "fallback_application_name": "b"}, {"server_settings": {"application_name": "a"}}),
        (ASYNCPG, {"fallback_application_name": "b"}, {"server_settings": {"application_name": "b"}}),
        (ASYNCPG, {"sslcert": None, "sslmode": ""}, {}),
        (ASYNCPG, {"command_timeout": "5"}, {"command_timeout": 5.0}),
        (ASYNCPG, {"host": "a,b:2"}, {"host": ["a", "b"], "port": [5432, 2]}),
        (ASYNCPG, {"host": ("a:1", "b")}, {"host": ["a", "b"], "port": [1, 5432]}),
        (ASYNCPG, {"host": "/run/pg"}, {"host": "/run/pg"}),
        (PSYCOPG, {"host": "a,b:2"}, {"host": "a,b", "port": ",2"}),
        (PSYCOPG, {"host": "a,b", "port": 2}, {"host": "a,b", "port": "2"}),
        (PSYCOPG, {"ssl": True}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        (PSYCOPG, {"ssl": "true"}, {"sslmode": "require"}),
        (PSYCOPG, {"ssl": False}, {"sslmode": "disable"}),
        (PSYCOPG, {"direct_tls": True, "database": "d"}, {"sslnegotiation": "direct", "dbname": "d"}),
        (ASYNCPG, {"ssl": True, "sslrootcert": "system"}, {"ssl": True}),
        (ASYNCPG, {"timeout": 5, "connect_timeout": 3}, {"timeout": 3.0}),
        (PSYCOPG, {"timeout": 5, "connect_timeout": 3}, {"connect_timeout": 3}),
        (PSYCOPG, {"timeout": None}, {"connect_timeout": 0}),
        (PSYCOPG, {"prepare_threshold": "3"}, {"prepare_threshold": 3}),
        (PSYCOPG, {"prepare_threshold": None}, {"prepare_threshold": None}),
        (PSYCOPG, {"keepalives": True}, {"keepalives": 1}),
        (PSYCOPG, {"search_path": "a b"}, {"options": r"-c search_path=a\ b"}),
    ],
)  # fmt: skip
def test_each_driver_gets_its_own_words(driver, given, expected):
    assert arguments(driver, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command_timeout": 5}, "psycopg has no command_timeout.*statement_timeout"),
        ({"connection_class": object}, "psycopg has no connection_class.*ASYNC_OPTIONS"),
        ({"ssl": ssl.create_default_context()}, "ssl: psycopg takes no SSLContext"),
    ],
)
def test_words_of_asyncpg_are_refused_by_the_sync_face(given, message):
    database = use("postgresql://h/d", ASYNCPG, given)
    assert database.async_engine is not None
    with pytest.raises(ImproperlyConfigured, match=message):
        database.engine  # noqa: B018
    configure(DATABASES={"default": {"URL": "postgresql://h/d", "ASYNC_OPTIONS": given}})
    assert connections["default"].engine is not None


def test_certificates_beside_an_ssl_context_are_refused():
    given = {"ssl": ssl.create_default_context(), "sslrootcert": "/r"}
    with pytest.raises(ImproperlyConfigured, match="sslrootcert: an SSLContext"):
        use("postgresql://h/d", ASYNCPG, given).async_engine  # noqa: B018


# -- several servers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("postgresql://u@h1:5432,h2:5433/d", "h1,h2", "5432,5433"),
        ("postgresql://u:p,@h1,h2:5433/d", "h1,h2", ",5433"),
        ("postgresql://h1,h2/d?sslmode=require", "h1,h2", None),
        ("postgresql://[::1]:5432,[fe80::2]/d", "::1,fe80::2", "5432,"),
        ("postgresql://%2Frun%2Fpostgresql/d", "/run/postgresql", None),
    ],
)
def test_the_manuals_forms_are_read(text, host, port):
    url = config.read_url(text)
    assert (url.query.get("host"), url.query.get("port"), url.database) == (host, port, "d")
    assert url.password == ("p," if "p," in text else None)


def test_django_has_lists_in_host_and_port():
    given = {"ENGINE": "postgresql", "NAME": "d", "HOST": "h1,h2", "PORT": "5432,5433"}
    configure(DATABASES={"default": given})
    query = connections["default"].settings.url.query
    assert (query["host"], query["port"]) == ("h1,h2", "5432,5433")


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "attributes", ["", "&target_session_attrs=read-write", "&target_session_attrs=prefer-standby"]
)
def test_the_first_server_that_answers_is_taken(face, database, driver, attributes):
    url = make_url(database.url)
    server = f"{url.host}:{url.port or 5432}"
    use(
        f"postgresql://{url.username}@127.0.0.1:{free_port()},{server}/{url.database}?sslmode=prefer{attributes}",
        driver,
    )
    assert ask("SELECT current_database()") == url.database


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
def test_each_server_has_the_whole_time(face, database, driver):
    """The first one takes the connection and says nothing."""
    url = make_url(database.url)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        servers = f"127.0.0.1:{silent.getsockname()[1]},{url.host}:{url.port or 5432}"
        use(f"postgresql://{url.username}@{servers}/{url.database}?connect_timeout=2", driver)
        assert ask() == 1


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
def test_the_wrong_kind_of_server_is_none(face, database, driver):
    use(database.url, driver, {"target_session_attrs": "standby"}, POOL_TIMEOUT=0.2)
    with pytest.raises(OperationalError):
        ask()


# -- on a server -----------------------------------------------------------------------------------------------------


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("given", "setting", "expected"),
    [
        ({"application_name": "web"}, "application_name", "web"),
        ({"fallback_application_name": "web"}, "application_name", "web"),
        ({"options": "-c jit=off --work_mem=5MB"}, "work_mem", "5MB"),
        ({"options": r'-c search_path="a\ b",public'}, "search_path", '"a b",public'),
        ({"search_path": '"a b", public'}, "search_path", '"a b", public'),
        ({"server_settings": {"work_mem": "5MB", "search_path": "a, b"}}, "search_path", "a, b"),
        ({"server_side_binding": True}, "application_name", ""),
    ],
)
def test_settings_reach_the_server(face, database, driver, given, setting, expected):
    use(database.url, driver, given)
    assert ask(f"SHOW {setting}") == expected


@pytest.mark.vendors("postgres")
def test_a_service_is_one_database(face, database, tmp_path, monkeypatch):
    url = make_url(database.url)
    file = tmp_path / "services"
    file.write_text(
        f"[library]\nhost={url.host}\nport={url.port or 5432}\nuser={url.username}\ndbname={url.database}\noptions=-c work_mem=5MB\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    use("postgresql://?service=library")
    assert (ask("SELECT current_database()"), ask("SHOW work_mem")) == (url.database, "5MB")


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
def test_sockets_are_kept_alive(face, database, driver):
    given = {
        "keepalives_idle": 33,
        "keepalives_interval": "11",
        "keepalives_count": 4,
        "tcp_user_timeout": 9000,
    }
    one = use(database.url, driver, given)
    channel = one.lend()
    raw = channel.raw
    number = raw._transport.get_extra_info("socket").fileno() if hasattr(raw, "_transport") else raw.fileno()
    with closing(socket.socket(fileno=os.dup(number))) as connected:
        if connected.family == socket.AF_UNIX:
            pytest.skip("the server is reached through a Unix socket")
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        seen = [
            connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in names
            if hasattr(socket, name)
        ]
        assert seen == [33, 11, 4, 9000][: len(seen)]
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    channel.check_in()


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.vendors("postgres")
@pytest.mark.faces("async")
@pytest.mark.parametrize("in_block", [False, True])
def test_an_expired_limit_of_asyncpg_is_named(face, database, in_block):
    one = use(database.url, ASYNCPG, {"command_timeout": 0.2})
    with pytest.raises(
        OperationalError, match="on 'default' took longer than the command_timeout in OPTIONS"
    ):
        if in_block:
            with face.block(atomic()):
                ask("SELECT pg_sleep(5)::text")
        else:
            ask("SELECT pg_sleep(5)::text")
    assert ask() == 1
    assert one.lender.pool.checkedout() == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_silent_server_is_no_cancellation(face, driver):
    """asyncio's limits work by cancelling; who waits for a connection was not cancelled."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/d"
        one = use(url, driver, {"connect_timeout": 1}, POOL_TIMEOUT=0.1)
        with pytest.raises(OperationalError, match=r"timeout expired|'default' .*connect_timeout in OPTIONS"):
            ask()
        assert one.lender.pool.checkedout() == 0


# -- Django's own -----------------------------------------------------------------------------------------------------


@pytest.fixture
def role(database):
    name = "Reader of facade's"
    quoted = f'"{name}"'
    database.observe(f"DROP ROLE IF EXISTS {quoted}")
    database.observe(f"CREATE ROLE {quoted}")
    yield name
    database.observe(f"DROP ROLE {quoted}")


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_role_is_assumed_on_every_connection(face, database, role, driver):
    one = use(database.url, driver, {"assume_role": role})
    assert ask("SELECT current_user") == role
    with face.block(atomic()):
        assert ask("SELECT current_user") == role
    database.observe(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert ask("SELECT current_user") == role
    assert one.settings.assume_role == role


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_role_that_cannot_be_assumed_keeps_everybody_out(face, database, driver):
    one = use(database.url, driver, {"assume_role": "'; DROP TABLE x; --"})
    with pytest.raises(Exception, match="does not exist"):
        ask()
    assert one.lender.pool.checkedout() == 0


def test_a_role_behind_a_pooler_of_transactions_is_refused():
    with pytest.raises(
        ImproperlyConfigured, match=r"DATABASES\['default'\]: assume_role: with TRANSACTION_POOLING"
    ):
        use("postgresql://h/d", given={"assume_role": "r"}, TRANSACTION_POOLING=True)


# -- certificates ------------------------------------------------------------------------------------------------------


def openssl(folder, *command):
    subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A server's certificate and a client's, which certify themselves, and a stranger's."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client", "stranger"):
        openssl(
            folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt",
            "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
        )  # fmt: skip
    openssl(folder, "rsa", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    for name in ("client.key", "locked.key"):
        (folder / name).chmod(0o600)
    return folder


class Door:
    """Something that speaks TLS as a PostgreSQL server does, remembers who came, and lets nobody in."""

    REFUSAL = b"SFATAL\0VFATAL\0C28000\0MThe door is closed.\0\0"

    def __init__(self, certificates):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        self.context.load_verify_locations(certificates / "client.crt")
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.context.set_alpn_protocols(["postgresql"])
        self.context.sni_callback = lambda connection, name, context: self.names.append(name)
        self.names, self.visitors = [], []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)

    def _serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    self._receive(connection)
                except OSError:
                    continue

    def _receive(self, connection):
        connection.settimeout(5)
        if connection.recv(1, socket.MSG_PEEK) != b"\x16":  # what TLS begins with
            connection.recv(8)
            connection.sendall(b"S")
        with self.context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1000)
            self.visitors.append((secured.version(), secured.getpeercert()))
            secured.sendall(b"E" + (len(self.REFUSAL) + 4).to_bytes(4, "big") + self.REFUSAL)


@pytest.fixture
def door(certificates):
    door = Door(certificates)
    door.thread.start()
    yield door
    door.server.shutdown(socket.SHUT_RDWR)
    door.server.close()
    door.thread.join()


@contextmanager
def knocking(door, driver, **given):
    use(f"postgresql://ada@localhost:{door.port}/d", driver, given, POOL_TIMEOUT=0.1)
    with pytest.raises(OperationalError) as refused:
        ask()
    yield str(refused.value)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_is_known_by_its_certificate(face, door, certificates, driver, mode):
    with knocking(door, driver, sslmode=mode, sslrootcert=str(certificates / "server.crt")) as answer:
        assert "The door is closed." in answer
    assert "localhost" in door.names


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_another_server_is_not(face, door, certificates, driver, mode):
    with knocking(door, driver, sslmode=mode, sslrootcert=str(certificates / "stranger.crt")) as answer:
        assert "certificate verify failed" in answer
    assert door.visitors == []


@pytest.mark.parametrize("word", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_a_file_that_is_not_there_is_named(word):
    database = use("postgresql://h/d", given={"sslmode": "verify-full", word: "/nowhere"})
    with pytest.raises(
        ImproperlyConfigured, match=rf"^DATABASES\['default'\]: {word}: there is no file '/nowhere'"
    ):
        database.async_engine  # noqa: B018


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("key", "password"), [("client.key", None), ("locked.key", "secret")])
def test_a_client_shows_its_certificate(face, door, certificates, driver, key, password):
    with knocking(
        door, driver, sslmode="require", sslcert=str(certificates / "client.crt"), sslkey=str(certificates / key), sslpassword=password,
    ):  # fmt: skip
        assert dict(door.visitors[0][1]["subject"][0])["commonName"] == "client"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("limit", "version"), [("TLSv1.2", "TLSv1.2"), ("TLSv1.3", "TLSv1.3")])
def test_the_version_of_tls_is_limited(face, door, driver, limit, version):
    with knocking(door, driver, sslmode="require", ssl_max_protocol_version=limit):
        assert door.visitors[0][0] == version


@pytest.mark.parametrize("driver", DRIVERS)
def test_tls_may_come_first(face, door, driver):
    with knocking(door, driver, sslmode="require", sslnegotiation="direct") as answer:
        assert "The door is closed." in answer


def test_no_name_is_told(face, door):
    with knocking(door, AUTOMATIC, sslmode="require", sslsni="0"):
        assert door.names == [None]


# -- other databases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "word", "meant"),
    [
        ({"URL": "sqlite:///x.db", "OPTIONS": {"timeot": 3}}, "timeot", "timeout"),
        ({"URL": "sqlite:///x.db?mode=ro"}, "mode", None),
        ({"URL": "mysql://h/d", "OPTIONS": {"chatset": "utf8mb4"}}, "chatset", "charset"),
        ({"URL": "mariadb://h/d?chatset=utf8mb4"}, "chatset", "charset"),
        ({"URL": "mysql://h/d", "OPTIONS": {"assume_role": "x"}}, "assume_role", None),
    ],
)
def test_arguments_that_a_driver_does_not_take_are_refused_on_both_faces(given, word, meant):
    configure(DATABASES={"default": given})

    async def main():
        await bridge.run(ask)

    for attempt in (ask, lambda: asyncio.run(main())):
        with pytest.raises(ImproperlyConfigured, match=rf"DATABASES\['default'\].*{word!r}") as refused:
            attempt()
        assert meant is None or f"Did you mean {meant!r}?" in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"URL": "sqlite://", "OPTIONS": {"timeout": 3, "cached_statements": 7}},
        {"URL": "sqlite:///file:words?mode=memory&cache=shared&uri=true"},
    ],
)
def test_arguments_that_a_driver_takes_are_not(face, given):
    configure(DATABASES={"default": given})
    assert ask() == 1


@pytest.mark.vendors("mariadb")
def test_arguments_of_mariadbs_drivers(face, database):
    configure(
        DATABASES={"default": {"URL": database.url, "OPTIONS": {"charset": "utf8mb4", "connect_timeout": 5}}}
    )
    assert ask() == 1
