"""The nouns: frozen values, standard library only. No I/O, clock, environment or logging lives here."""
