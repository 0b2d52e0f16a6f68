"""How parameters move: one function an algorithm."""
