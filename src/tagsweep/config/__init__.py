"""The policy file: what a person wrote becomes a Policy, or an error at file:line:column."""

from __future__ import annotations

from tagsweep.config.policyfile import load_policy, parse_policy

__all__ = ["load_policy", "parse_policy"]
