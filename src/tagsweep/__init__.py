"""tagsweep removes container image tags that nobody needs, without breaking anything that runs."""

__version__ = "0.1.0"
