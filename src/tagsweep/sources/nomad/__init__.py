"""Nomad: what the jobs of a cluster run, could be rolled back to, and still have running."""
