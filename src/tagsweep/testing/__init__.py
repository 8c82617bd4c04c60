"""For plugin authors and tests: a registry on real sockets, builders of images, and suites that drivers must pass."""
