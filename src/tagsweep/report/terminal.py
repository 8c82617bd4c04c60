"""The pages that a person sees, one function for each command. Plain text is the same with and without colour."""

from __future__ import annotations

from tagsweep.report.canvas import PLAIN, Screen
from tagsweep.report.terminal_doctor import doctor
from tagsweep.report.terminal_explain import explain
from tagsweep.report.terminal_inventory import inventory
from tagsweep.report.terminal_plan import plan, refused
from tagsweep.report.terminal_run import applied, history, restored, verified
from tagsweep.report.terminal_usage import usage

__all__ = [
    "PLAIN",
    "Screen",
    "applied",
    "doctor",
    "explain",
    "history",
    "inventory",
    "plan",
    "refused",
    "restored",
    "usage",
    "verified",
]
