"""Whom a policy wants told how a run ended: each kind has what it needs, and no secret stands in the file."""

from __future__ import annotations

import re
from typing import Final

from tagsweep.config.places import Place
from tagsweep.config.wire_record import NotifyWire
from tagsweep.model.policy import MailSecurity, MailSettings, Notification, NotificationEvent, NotificationKind

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+", re.ASCII)
_MAIL_KEYS: Final = ("host", "port", "from", "to", "username_env", "password_env")


def parse_notification(wire: NotifyWire, place: Place) -> Notification:
    """Return the notification, or raise PolicyError. No value that may be a secret is quoted."""
    kind = NotificationKind(wire.kind)
    when = tuple(NotificationEvent(word) for word in dict.fromkeys(wire.when))
    if kind is NotificationKind.EMAIL:
        if wire.url_env is not None:
            raise place.at("url_env").error("mail has no 'url_env'", remedy="write host, from and to")
        return Notification(kind=kind, when=when, mail=_mail(wire, place))
    given = {"host": wire.host, "port": wire.port, "from": wire.from_, "to": wire.to}
    given |= {"username_env": wire.username_env, "password_env": wire.password_env}
    for key in _MAIL_KEYS:
        if given[key] is not None:
            raise place.at(key).error(f"{key!r} is only for kind: email", remedy="remove it")
    if wire.url_env is None:
        raise place.error(
            f"this notification by {wire.kind} has no 'url_env'",
            remedy=f"write the name of the environment variable with the address: url_env: {wire.kind.upper()}_URL",
        )
    return Notification(kind=kind, when=when, url_env=parse_variable(wire.url_env, place.at("url_env")))


def _mail(wire: NotifyWire, place: Place) -> MailSettings:
    if wire.host is None or wire.from_ is None or not wire.to:
        raise place.error(
            "a notification by email needs 'host', 'from' and 'to'",
            remedy="write {kind: email, host: mail.example.com, from: tagsweep@example.com, to: ops@example.com}",
        )
    if (wire.username_env is None) != (wire.password_env is None):
        raise place.error("a user and a password go together", remedy="write username_env and password_env")
    to = [wire.to] if isinstance(wire.to, str) else wire.to
    for key, addresses in (("from", [wire.from_]), ("to", to)):
        for address in addresses:
            if _ADDRESS.fullmatch(address) is None:
                raise place.at(key).error(f"{address!r} is no mail address", remedy="write it as ops@example.com")
    if not wire.host.strip():
        raise place.at("host").error("'host' is empty", remedy="write the name of the mail server")
    return MailSettings(
        host=wire.host.strip(),
        sender=wire.from_,
        to=tuple(to),
        port=wire.port,
        security=MailSecurity(wire.security),
        username_env=None if wire.username_env is None else parse_variable(wire.username_env, place.at("username_env")),
        password_env=None if wire.password_env is None else parse_variable(wire.password_env, place.at("password_env")),
    )


def parse_variable(text: str, place: Place) -> str:
    """Return the name of an environment variable, or raise PolicyError."""
    if _VARIABLE.fullmatch(text) is None:
        raise place.error(
            f"{place.name} is no name of an environment variable",
            remedy="write the name of the variable that holds the value, not the value itself",
        )
    return text
