"""How images are named in files: one syntax a file, each a pure function from text to findings."""
