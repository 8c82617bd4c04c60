"""One kind of usage evidence a file: pure extraction and a thin collector."""
