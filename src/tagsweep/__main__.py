"""``python -m tagsweep`` is ``tagsweep``."""

from tagsweep.cli.main import main

main()
