"""How parameters move: one function per file."""
