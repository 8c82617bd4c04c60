"""Messages by mail, Teams and apprise, as their receivers get them."""

from __future__ import annotations

import email
import email.policy
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.schedule import AttemptResult
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import Quiet
from tests.e2e.attempts import ends, listener, run, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of

DATE = "2026-10-01 04:00"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


@contextmanager
def mail_server(answer_to_login: str = "235 2.7.0 welcome") -> Iterator[tuple[int, list[str], list[EmailMessage]]]:
    """Serve SMTP on loopback; give its port, the commands and the mails that it got."""
    commands: list[str] = []
    mails: list[EmailMessage] = []

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 mail.example")
            while line := self.rfile.readline().decode().strip():
                commands.append(line)
                word = line.partition(" ")[0].upper()
                if word == "EHLO":
                    self.say("250-mail.example\r\n250 AUTH PLAIN")
                elif word == "AUTH":
                    self.say(answer_to_login)
                elif word == "DATA":
                    self.say("354 go on")
                    mails.append(self.read_mail())
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def read_mail(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            found = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(found, EmailMessage)
            return found

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], commands, mails
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_mail(port: int, more: str = "") -> str:
    """Return the record's key that sends mail to the server of the test."""
    people = "from: tagsweep@acme.example, to: [ops@acme.example, a@b.example]"
    keys = f"host: 127.0.0.1, port: {port}, security: none, {people}"
    return f", notify: [{{kind: email, {keys}{more}}}]"


def test_a_mail_says_how_it_ended_and_what_to_do(place: Place, registry: FakeRegistry) -> None:
    """Subject and body have the title, the numbers, the run, the next date and the link, to everybody who is named."""
    with mail_server() as (port, commands, mails):
        write(place, registry, record=by_mail(port, ", username_env: MAIL_USER, password_env: MAIL_PASSWORD"))
        environ = {"MAIL_USER": "tagsweep", "MAIL_PASSWORD": "SECRET"}
        done = run(place, DATE, Asked(environ=environ, link="https://ci.example/1"))
    (mail,) = mails
    gone = done[0].report.removed
    assert mail["Subject"] == f"tagsweep: {gone} tags removed from 1 repository"
    assert mail["To"] == "ops@acme.example, a@b.example"
    body = mail.get_content()
    assert f"{GATEWAY}: {gone} of " in body
    assert f"tagsweep restore {done[0].report.attempt.run_id}" in body
    assert "Next date: 2027-01-01 04:00 UTC" in body
    assert body.rstrip().endswith("https://ci.example/1")
    assert sum(command.upper().startswith("RCPT") for command in commands) == 2
    assert any(command.startswith("AUTH PLAIN") for command in commands)


def test_a_mail_server_that_refuses_fails_nothing_and_repeats_nothing(place: Place, registry: FakeRegistry) -> None:
    """The sweep is done; the note has the server and no word of what it said, which may be the password."""
    with mail_server("535 5.7.8 no such user SECRET") as (port, _, mails):
        write(place, registry, record=by_mail(port, ", username_env: MAIL_USER, password_env: MAIL_PASSWORD"))
        notes = Quiet()
        environ = {"MAIL_USER": "tagsweep", "MAIL_PASSWORD": "SECRET"}
        assert ends(run(place, DATE, Asked(environ=environ), notes)) == [AttemptResult.SWEPT]
    assert mails == []
    told = " ".join(notes.notes)
    assert f"email: 127.0.0.1:{port} does not accept the user and password" in told
    assert "SECRET" not in told


@pytest.mark.parametrize(
    "address",
    ["ops@[example", *(pytest.param(one, marks=pytest.mark.slow) for one in ("():.@].", "ops@\N{LINE SEPARATOR}["))],
)
def test_an_address_that_mail_cannot_take_keeps_no_other_message_back(
    address: str, place: Place, registry: FakeRegistry
) -> None:
    """The run ends as it would, the other receivers are told, and a note says what is wrong."""
    mail = f'{{kind: email, host: 127.0.0.1, port: 9, security: none, from: a@b.example, to: "{address}"}}'
    write(place, registry, record=f", notify: [{mail}, {{kind: webhook, url_env: HOOK}}]")
    notes = Quiet()
    with listener() as (url, got):
        assert ends(run(place, DATE, Asked(environ={"HOOK": url}), notes)) == [AttemptResult.SWEPT]
    assert [one["result"] for one in got] == ["swept"]
    assert "is an address wrong?" in " ".join(notes.notes)


def test_teams_gets_an_adaptive_card(place: Place, registry: FakeRegistry) -> None:
    """The title stands first and bold, each fact is a line without Markdown of its own, the link is a button."""
    write(place, registry, record=", notify: [{kind: teams, url_env: HOOK}]")
    with listener() as (url, got):
        run(place, DATE, Asked(environ={"HOOK": url}, link="https://ci.example/1"))
    (attachment,) = got[0]["attachments"]
    card = attachment["content"]
    assert (got[0]["type"], card["type"], card["version"]) == ("message", "AdaptiveCard", "1.4")
    assert "tags removed from 1 repository" in card["body"][0]["text"]
    assert (card["body"][0]["weight"], len(card["body"]) > 3) == ("Bolder", True)
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": "https://ci.example/1"}]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise imports what Python 3.13 no longer has
def test_apprise_reaches_the_rest(place: Place, registry: FakeRegistry) -> None:
    """The library of that name sends title and text to an address of its own kind."""
    write(place, registry, record=", notify: [{kind: apprise, url_env: HOOK}]")
    with listener() as (url, got):
        notes = Quiet()
        address = url.replace("http://", "json://").replace("/services/T0/SECRET", "/SECRET")
        assert ends(run(place, DATE, Asked(environ={"HOOK": address}), notes)) == [AttemptResult.SWEPT]
    assert notes.notes == []
    assert "tags removed from 1 repository" in got[0]["title"]
    assert "Next date: 2027-01-01 04:00 UTC" in got[0]["message"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as above
@pytest.mark.parametrize(
    ("address", "why"),
    [("no address", "does not know such an address"), ("json://127.0.0.1:9/SECRET", "could not send it")],
)
def test_apprise_that_cannot_send_is_told(
    place: Place, registry: FakeRegistry, caplog: pytest.LogCaptureFixture, address: str, why: str
) -> None:
    """An address that it does not know and one that does not answer are a note, without the address, and no more."""
    write(place, registry, record=", notify: [{kind: apprise, url_env: HOOK}]")
    notes = Quiet()
    assert ends(run(place, DATE, Asked(environ={"HOOK": address}), notes)) == [AttemptResult.SWEPT]
    assert f"apprise (HOOK): apprise {why}" in " ".join(notes.notes)
    assert "SECRET" not in " ".join(notes.notes)
    assert caplog.records == []


def test_apprise_that_is_not_installed_is_told(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note says what to install."""
    write(place, registry, record=", notify: [{kind: apprise, url_env: HOOK}]")
    monkeypatch.setitem(sys.modules, "apprise", None)
    notes = Quiet()
    assert ends(run(place, DATE, Asked(environ={"HOOK": "json://127.0.0.1"}), notes)) == [AttemptResult.SWEPT]
    assert "pip install 'tagsweep[notify]'" in " ".join(notes.notes)
