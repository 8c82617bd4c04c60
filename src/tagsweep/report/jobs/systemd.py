"""The schedule as a timer and a service of systemd."""

from __future__ import annotations

from typing import Final

from tagsweep.core.cron import WEEKDAYS, parse_cron
from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, fill

SERVICE: Final = "tagsweep.service"
TIMER: Final = "tagsweep.timer"

_TIMER: Final = """\
# Written by "tagsweep schedule systemd".
#
#   cp tagsweep.service tagsweep.timer /etc/systemd/system/
#   systemctl daemon-reload && systemctl enable --now tagsweep.timer
[Unit]
Description=Wake tagsweep when its policy is due

[Timer]
# @SCHEDULE@. It only wakes tagsweep, which asks what is due.
@CALENDARS@
# After a time in which the machine was off: once, at the next start.
Persistent=true
AccuracySec=1min

[Install]
WantedBy=timers.target
"""
_SERVICE: Final = """\
# Written by "tagsweep schedule systemd". What you may have to change is marked with "adjust".
#
# /etc/tagsweep/tagsweep.yaml     the policy; files that it names beside it are copied by ExecStartPre too
# /etc/tagsweep/config.json       the registry's account, as "docker login" writes it: it may read and delete tags
#                                 there, and nothing else; chmod 600, it belongs to root
# /etc/tagsweep/environment       secrets of notifications, a NAME=value a line: @SECRETS@
#
# It sweeps without asking: the policy's limits are its brakes. To approve each plan, let ExecStart end
# with --approve plan-only -o ${STATE_DIRECTORY}/plan.json, and make a copy of this file, with User=tagsweep in both,
# whose ExecStart ends with --plan ${STATE_DIRECTORY}/plan.json instead: starting that one approves.
[Unit]
Description=Remove container image tags that nobody needs
Documentation=man:systemd.timer(5)
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
# What the policy says to remember and to write (ledger, undo data, changelog, reports) is in /var/lib/tagsweep.
DynamicUser=yes
StateDirectory=tagsweep
StateDirectoryMode=0700
# A copy, so that what the policy writes beside itself is in a place that may be written.
ExecStartPre=+/usr/bin/install -m 0444 /etc/tagsweep/tagsweep.yaml ${STATE_DIRECTORY}/tagsweep.yaml
LoadCredential=config.json:/etc/tagsweep/config.json
EnvironmentFile=-/etc/tagsweep/environment
Environment=HOME=/var/lib/tagsweep REGISTRY_AUTH_FILE=%d/config.json
# adjust: the path of tagsweep
ExecStart=@PROGRAM@ run --config ${STATE_DIRECTORY}/tagsweep.yaml --state ${STATE_DIRECTORY}/state
# Refused (4), partial (3) and damaged (7) are shown by "systemctl status" as failed, and written down.
TimeoutStartSec=6h
TimeoutStopSec=2min
# A registry or source that does not answer: tried again, the date stays due.
Restart=on-failure
RestartSec=15min
RestartPreventExitStatus=2 3 4 5 7 70

# Rights: none beyond the network and its own directory.
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
CapabilityBoundingSet=
SystemCallFilter=@@SYSTEM_SERVICE@
SystemCallArchitectures=native
UMask=0077
"""


def files(job: Job) -> dict[str, str]:
    """Return the units by their names."""
    calendars = "\n".join(f"OnCalendar={one}" for one in on_calendar(job.schedule))
    return {
        SERVICE: fill(
            _SERVICE,
            PROGRAM=job.program,
            SECRETS=", ".join(job.secrets) or "none are needed",
            SYSTEM_SERVICE="system-service",
        ),
        TIMER: fill(_TIMER, SCHEDULE=str(job.schedule), CALENDARS=calendars),
    }


def on_calendar(schedule: Schedule) -> tuple[str, ...]:
    """Return the schedule as calendar events (systemd.time(7)): two where cron wants one of two kinds of days."""
    cron = parse_cron(schedule.cron)
    fields = schedule.cron.split()
    zone = schedule.time_zone
    time = f"{_listed(cron.hours, 24)}:{_listed(cron.minutes, 60)}:00"
    months = _listed(sorted(cron.months), 12)
    days = _listed(sorted(cron.days), 31)
    weekdays = "" if len(cron.weekdays) == len(WEEKDAYS) else _weekdays(cron.weekdays)
    either = fields[2][0] not in "*?" and fields[4][0] not in "*?" and weekdays and days != "*"
    if either:
        return (f"*-{months}-{days} {time} {zone}", f"{weekdays}*-{months}-* {time} {zone}")
    return (f"{weekdays}*-{months}-{days} {time} {zone}",)


def _listed(numbers: tuple[int, ...] | list[int], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(f"{number:02d}" for number in numbers)


def _weekdays(numbers: frozenset[int]) -> str:
    return ",".join(WEEKDAYS[number].capitalize() for number in sorted(numbers)) + " "
