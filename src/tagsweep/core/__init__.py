"""The verbs: pure functions of values, with ``now`` as an argument. No I/O, clock, environment or logging."""
