"""Which mixture: grids of cells in rounds, a ranking, the bootstrap test, solvers side by side."""
