"""Telling people how an unattended run ended. That a message cannot be sent is told, and fails nothing.

Addresses are secrets (whoever knows a webhook's may write there), so a message of ours has no more of them than the
name of the environment variable that holds them.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from importlib import import_module
from typing import TYPE_CHECKING, Final, assert_never

from tagsweep.app.posting import from_environment, post
from tagsweep.http.hosts import is_loopback
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.policy import MailSecurity, MailSettings, Notification, NotificationKind
from tagsweep.report import messages
from tagsweep.report.attempt import AttemptReport, event

if TYPE_CHECKING:
    from tagsweep.ports import Clock, Progress

_PORTS: Final = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}
_MAIL_TIMEOUT: Final = 30.0


def notify(
    report: AttemptReport,
    notifications: tuple[Notification, ...],
    *,
    environ: Mapping[str, str],
    clock: Clock,
    progress: Progress,
) -> tuple[str, ...]:
    """Send each notification that is for this end, and return in words what could not be sent; notes say it as well."""
    troubles = []
    for one in notifications:
        if event(report.attempt.result) not in one.when:
            continue
        try:
            _send(one, report, environ, clock)
        except TagsweepError as error:
            remedy = f" ({error.remedy})" if error.remedy else ""
            troubles.append(f"nobody was told by {_name(one)}: {error}{remedy}")
            progress.note(troubles[-1])
    return tuple(troubles)


def _name(one: Notification) -> str:
    return f"{one.kind.value} ({one.url_env})" if one.url_env else one.kind.value


def _send(one: Notification, report: AttemptReport, environ: Mapping[str, str], clock: Clock) -> None:
    kind = one.kind
    match kind:
        case NotificationKind.WEBHOOK:
            post(from_environment(one.url_env, environ), messages.webhook(report), clock)
        case NotificationKind.SLACK:
            post(from_environment(one.url_env, environ), messages.slack(report), clock)
        case NotificationKind.TEAMS:
            post(from_environment(one.url_env, environ), messages.teams(report), clock)
        case NotificationKind.APPRISE:
            _by_apprise(from_environment(one.url_env, environ), report)
        case NotificationKind.EMAIL:
            assert one.mail is not None  # noqa: S101 (the policy's reader sees to it)
            _mail(one.mail, report, environ)
        case _:
            assert_never(kind)


# --- mail ---------------------------------------------------------------------------------------------------------
def _mail(settings: MailSettings, report: AttemptReport, environ: Mapping[str, str]) -> None:
    message = _composed(settings, report)
    login = None
    if settings.username_env is not None and settings.password_env is not None:
        login = (from_environment(settings.username_env, environ), from_environment(settings.password_env, environ))
        if settings.security is MailSecurity.NONE and not is_loopback(settings.host):
            raise ConfigurationError("a password is not sent without TLS", remedy="write security: starttls or tls")
    port = settings.port if settings.port is not None else _PORTS[settings.security]
    try:
        with _connected(settings, port) as server:
            if settings.security is MailSecurity.STARTTLS:
                server.starttls(context=ssl.create_default_context())
            if login is not None:
                server.login(*login)
            server.send_message(message)
    except smtplib.SMTPAuthenticationError:
        raise ConfigurationError(f"{settings.host}:{port} does not accept the user and password") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # The class alone: what a server says may repeat what it was told.
        raise ConfigurationError(f"{settings.host}:{port} did not take the mail: {type(error).__name__}") from None


def _composed(settings: MailSettings, report: AttemptReport) -> EmailMessage:
    message = EmailMessage()
    try:
        message["From"] = settings.sender
        message["To"] = ", ".join(settings.to)
        message["Subject"], body = messages.plain(report)
        message.set_content(body)
    except Exception as error:  # noqa: BLE001 (the parser of addresses fails with whatever it stumbles over)
        raise ConfigurationError(
            f"the mail cannot be written: {type(error).__name__}", remedy="is an address wrong?"
        ) from None
    return message


def _connected(settings: MailSettings, port: int) -> smtplib.SMTP:
    if settings.security is MailSecurity.TLS:
        return smtplib.SMTP_SSL(settings.host, port, timeout=_MAIL_TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(settings.host, port, timeout=_MAIL_TIMEOUT)


# --- the rest -----------------------------------------------------------------------------------------------------
def _by_apprise(url: str, report: AttemptReport) -> None:
    try:
        apprise = import_module("apprise")
    except ImportError as error:
        raise ConfigurationError(
            "the Python package apprise is not installed", remedy="pip install 'tagsweep[notify]'"
        ) from error
    logger = logging.getLogger("apprise")  # what it logs may have the address
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    sender = apprise.Apprise()
    subject, body = messages.plain(report)
    try:
        known = sender.add(url)
        sent = known and sender.notify(title=subject, body=body)
    except Exception as error:  # noqa: BLE001 (a hundred plugins of others; none of them ends a sweep)
        raise ConfigurationError(f"apprise failed with {type(error).__name__}") from None
    if not known:
        raise ConfigurationError("apprise does not know such an address", remedy="github.com/caronc/apprise lists them")
    if not sent:
        raise ConfigurationError("apprise could not send it", remedy="is the address still valid?")
