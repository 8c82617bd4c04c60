"""One keep clause a file: each tells which of the tags that a rule matches stay, and why."""
