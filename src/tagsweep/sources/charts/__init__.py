"""Charts in a tree of files, filled in by the helm program."""
