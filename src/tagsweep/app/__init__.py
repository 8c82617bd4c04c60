"""One use case a file: the order in which the parts are called."""
