"""The schedule as lines for crontab(1)."""

from __future__ import annotations

from typing import Final

from tagsweep.core.cron import plain
from tagsweep.report.jobs import Job, fill

PATH: Final = "tagsweep.cron"

_TEMPLATE: Final = """\
# Written by "tagsweep schedule cron". What you may have to change is marked with "adjust".
#
#   crontab -l | cat - tagsweep.cron | crontab -
#
# The lines only wake tagsweep, which asks what is due (@SCHEDULE@), does nothing otherwise,
# and never runs twice for one date. cron mails what it prints to MAILTO.
@SECRETS@
MAILTO=root
# adjust: the secrets of the registry and of notifications are best in the files that tagsweep reads, not here.
# cronie goes by this time zone; Debian's cron does not know it, goes by the machine's, and wakes at another hour:
CRON_TZ=@ZONE@
@CRON@ @PROGRAM@ run --config @POLICY@
# Every day: makes up for a time in which the machine was off, for errors, and for a clock of another time zone.
47 5 * * * @PROGRAM@ run --config @POLICY@ | grep -v "^Not due"
"""


def files(job: Job) -> dict[str, str]:
    """Return the lines by the name of their file."""
    names = ", ".join(job.secrets)
    text = fill(
        _TEMPLATE,
        SCHEDULE=str(job.schedule),
        SECRETS=f"# The policy's notifications need these variables: {names}." if names else "",
        ZONE=job.schedule.time_zone,
        CRON=plain(job.schedule.cron),
        PROGRAM=job.program,
        POLICY=job.policy,
    )
    return {PATH: text}
