"""A real registry, Apicurio: it keeps the contract, refuses what our check refuses, and gives ids that values go by."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from domain.banking import banking
from domain.banking.messages import Deposit, Deposited
from domain.flights import flights
from shardlog import Application, Event
from shardlog.adapters.filesystem.schemas import write_schemas
from shardlog.adapters.registry.confluent import ConfluentRegistry, RegistryAccess
from shardlog.avro.compatibility import mismatches
from shardlog.avro.framing import unframed
from shardlog.avro.messages import MessageAvro, application_messages
from shardlog.avro.wire import AvroWire, subject
from shardlog.cli.exit_codes import ExitCode
from shardlog.errors import PayloadUnreadable, RegistryFailed, RegistryUnavailable, SchemaRefused, SchemaUnknown
from shardlog.ports.schema_registry import SchemaRegistry
from shardlog.testing.contracts.schema_registry import SchemaRegistryContract
from shardlog.testing.services.registry.process import running_registry
from shardlog.wiring.schemas import open_registry
from shardlog.wiring.settings import SchemaSettings
from tests.missing import is_ci, or_skip
from tests.services.command_line import shardlog
from tests.unit.avro.test_evolution import DEFAULTS, REFUSED, SAME, Lit, event
from tests.unit.avro.zoo import MESSAGES

application = Application([banking, flights])
TOPIC = "bank.events.account"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a registry that this module's tests share."""
    with or_skip(), running_registry() as url:
        yield url


@pytest.fixture
def registry(url: str) -> Iterator[SchemaRegistry]:
    registry = ConfluentRegistry(RegistryAccess(url=url))
    yield registry
    registry.close()


class TestApicurio(SchemaRegistryContract):
    @pytest.fixture(autouse=True)
    def _address(self, url: str) -> None:
        self.url = url

    def open(self) -> SchemaRegistry:
        return ConfluentRegistry(RegistryAccess(url=self.url))


def test_every_message_is_registered_and_found(registry: SchemaRegistry) -> None:
    for message in [*application_messages(application).values(), *(MessageAvro("zoo", m) for m in MESSAGES)]:
        name = subject("t", message.name)
        assert registry.find(name, message.text) is None
        id = registry.register(name, message.text)
        assert (registry.find(name, message.text), registry.schema(id)) == (id, message.text)


@pytest.mark.parametrize(("fields", "defaults", "_reasons"), REFUSED.values(), ids=REFUSED)
def test_what_our_check_refuses_the_registry_refuses(
    fields: dict[str, Any], defaults: dict[str, Any], _reasons: list[str], registry: SchemaRegistry
) -> None:
    before, after = MessageAvro("lamp", Lit), MessageAvro("lamp", event(fields, **defaults))
    name = f"{uuid4()}-{before.name.fullname}"
    registry.register(name, before.text)
    problems = {m.problem for m in mismatches(after.schema, before.schema) + mismatches(before.schema, after.schema)}
    if problems == {"meaning"}:  # Avro itself reads a number as a time, so no registry refuses it: ours is stricter
        assert registry.incompatibility(name, after.text) is None
        return
    assert registry.incompatibility(name, after.text)
    with pytest.raises(SchemaRefused, match="shardlog schema check"):
        registry.register(name, after.text)


def test_what_our_check_lets_through_the_registry_takes(registry: SchemaRegistry) -> None:
    before = MessageAvro("lamp", Lit)
    after = MessageAvro("lamp", event({**SAME, "volts": int}, **DEFAULTS, volts=230))
    name = f"{uuid4()}-{before.name.fullname}"
    first = registry.register(name, before.text)
    assert registry.incompatibility(name, after.text) is None
    assert registry.register(name, after.text) != first


def test_an_event_is_read_by_another_process_that_knows_the_registry_alone(registry: SchemaRegistry, url: str) -> None:
    written = AvroWire(application, registry).encode_event(TOPIC, "account", Deposited(amount=5))
    other = ConfluentRegistry(RegistryAccess(url=url))
    assert AvroWire(application, other, registers=False).decode_event(written) == ("account", Deposited(amount=5))
    assert AvroWire(application, registry).encode_event_json(TOPIC, "account/deposited/1", b'{"amount":5}') == written
    other.close()


def test_a_command_in_avro_becomes_the_payload_that_an_executor_takes(registry: SchemaRegistry) -> None:
    wire = AvroWire(application, registry)
    written = wire.encode_command("bank.commands", "account", Deposit(amount=5))
    assert wire.command_json("account", "deposit", written) == b'{"amount":5}'
    with pytest.raises(PayloadUnreadable, match=r"write it with the schema of account/commands/Withdraw\.v1\.avsc"):
        wire.command_json("account", "withdraw", written)


def test_a_command_beyond_its_limits_is_refused(registry: SchemaRegistry) -> None:
    wire = AvroWire(application, registry)
    id, _ = unframed(wire.encode_command("bank.commands", "account", Deposit(amount=5)))
    with pytest.raises(PayloadUnreadable, match=r"Expected `int` >= 1 - at `\$.amount`"):
        wire.command_json("account", "deposit", b"\0" + id.to_bytes(4, "big") + b"\0")


def test_nothing_is_registered_where_that_is_somebody_else_s(registry: SchemaRegistry) -> None:
    wire = AvroWire(application, registry, registers=False)
    with pytest.raises(SchemaUnknown, match="register it before this code is deployed"):
        wire.encode_event(f"topic-{uuid4()}", "account", Deposited(amount=5))


class Unheard(Event): ...


def test_an_event_of_another_application_is_refused_by_name(registry: SchemaRegistry) -> None:
    message = MessageAvro("lamp", Unheard)
    id = registry.register(subject("t", message.name), message.text)
    with pytest.raises(PayloadUnreadable, match=r"lamp\.events\.UnheardV1, and this application has no such event"):
        AvroWire(application, registry).decode_event(b"\0" + id.to_bytes(4, "big"))


def test_the_settings_choose_between_registry_and_folder(url: str, tmp_path: Path) -> None:
    write_schemas(tmp_path, application_messages(application).values())
    by_server = open_registry(SchemaSettings(registry_url=url), tmp_path)
    by_folder = open_registry(SchemaSettings(directory="."), tmp_path)
    for registry in (by_server, by_folder):
        wire = AvroWire(application, registry)
        value = wire.encode_event(TOPIC, "account", Deposited(amount=7))
        assert wire.decode_event(value).event == Deposited(amount=7)
        registry.close()


def test_a_registry_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    registry = ConfluentRegistry(RegistryAccess(url="http://127.0.0.1:1/apis"))
    with pytest.raises(RegistryUnavailable, match=r"http://127\.0\.0\.1:1/apis/ does not answer"):
        registry.schema(1)
    registry.close()


class Asking(http.server.BaseHTTPRequestHandler):
    """Notes who asks, and answers with a schema."""

    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["Authorization"])
        content = b'{"schema":"{}"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


def test_user_and_password_are_sent_by_basic_authentication(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    with http.server.HTTPServer(("127.0.0.1", 0), Asking) as server:
        threading.Thread(target=server.handle_request).start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings = SchemaSettings(registry_url=address, registry_user="ann", registry_password_file="password")
        registry = open_registry(settings, tmp_path)
        assert registry.schema(1) == "{}"
        registry.close()
    assert Asking.asked == ["Basic " + b64encode(b"ann:open sesame").decode()]


@pytest.fixture
def certified(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate of its own in `ca.pem`."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=digitalSignature,keyCertSign"]
    subprocess.run(
        [*made, *names, "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    return context


@pytest.mark.skipif(shutil.which("openssl") is None and not is_ci(), reason="apt-get install openssl")
def test_tls_is_trusted_by_the_file_that_the_settings_name_and_by_no_other(
    certified: ssl.SSLContext, tmp_path: Path
) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Asking) as server:
        server.socket = certified.wrap_socket(server.socket, server_side=True)
        address = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=lambda: [server.handle_request() for _ in range(2)])
        thread.start()
        strange = open_registry(SchemaSettings(registry_url=address), tmp_path)
        with pytest.raises(RegistryFailed, match=r"is not trusted: .* Set \[schemas\] registry_ca_file"):
            strange.schema(1)
        trusted = open_registry(SchemaSettings(registry_url=address, registry_ca_file="ca.pem"), tmp_path)
        assert trusted.schema(1) == "{}"
        thread.join(10)
        for registry in (strange, trusted):
            registry.close()


LAMPS = """
from shardlog import Aggregate, Command, Domain, Event, State, replace

class Lamp(State):
    watts: int = 0

class Light(Command):
    watts: int

class Lit(Event):
    watts: int

lamp = Aggregate("lamp", initial=Lamp())

@lamp.decides
def light(state: Lamp, command: Light) -> Lit:
    return Lit(watts=command.watts)

@lamp.evolves
def lit(state: Lamp, event: Lit) -> Lamp:
    return replace(state, watts=event.watts)

home = Domain("home", aggregates=[lamp])
"""


def lamps(folder: Path, url: str, journal: str) -> None:
    """A repository with two messages, and this registry."""
    (folder / "lamps.py").write_text(LAMPS)
    (folder / "shardlog.toml").write_text(
        f'[application]\ndomains = ["lamps:home"]\n[schemas]\nregistry_url = "{url}"\n[kafka]\njournal = "{journal}"\n'
    )


def test_every_schema_is_registered_by_a_command_before_anything_is_written(
    url: str, registry: SchemaRegistry, tmp_path: Path
) -> None:
    journal = f"j-{uuid4().hex[:8]}"
    lamps(tmp_path, url, journal)
    event, command = f"{journal}.events.lamp-lamp.events.LitV1", f"{journal}.commands-lamp.commands.LightV1"
    stale = shardlog(tmp_path, "schema", "register")
    assert stale.code == ExitCode.FAILED
    assert "run `shardlog schema export` first; nothing was registered" in stale.out
    assert shardlog(tmp_path, "schema", "export").code == 0
    planned = shardlog(tmp_path, "schema", "register", "--dry-run", "--json")
    assert planned.code == 0, planned.err
    assert {row["subject"]: (row["state"], row["id"]) for row in planned.json} == {
        event: ("new", None),
        command: ("new", None),
    }
    text = (tmp_path / "schemas" / "avro" / "lamp" / "events" / "Lit.v1.avsc").read_text()
    assert registry.find(event, text) is None, "a dry run registers nothing"
    done = shardlog(tmp_path, "schema", "register")
    assert done.code == 0, done.err
    id = registry.find(event, text)
    assert f"{event}: registered, id {id}\n" in done.out
    assert done.out.endswith("2 schemas, 2 registered now\n")
    again = shardlog(tmp_path, "schema", "register", "--json").json
    assert {row["subject"]: row["state"] for row in again} == {event: "known", command: "known"}
    assert next(row["id"] for row in again if row["subject"] == event) == id


def test_where_the_registry_refuses_a_schema_none_is_registered(
    url: str, registry: SchemaRegistry, tmp_path: Path
) -> None:
    journal = f"j-{uuid4().hex[:8]}"
    lamps(tmp_path, url, journal)
    assert shardlog(tmp_path, "schema", "export").code == 0
    folder = tmp_path / "schemas" / "avro" / "lamp"
    event, command = f"{journal}.events.lamp-lamp.events.LitV1", f"{journal}.commands-lamp.commands.LightV1"
    registry.register(event, (folder / "events" / "Lit.v1.avsc").read_text().replace('"long"', '"string"'))
    refused = shardlog(tmp_path, "schema", "register")
    assert refused.code == ExitCode.REFUSED, refused.err
    assert f"{event}: refused: " in refused.out
    assert registry.find(command, (folder / "commands" / "Light.v1.avsc").read_text()) is None


def test_without_a_registry_there_is_nothing_to_register(tmp_path: Path) -> None:
    lamps(tmp_path, "", "home")
    assert shardlog(tmp_path, "schema", "export").code == 0
    said = shardlog(tmp_path, "schema", "register")
    assert said.code == ExitCode.CONFIGURATION
    assert "registry_url is empty" in said.err
