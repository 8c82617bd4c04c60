"""One registry family a file: thin calls over the Transport."""
