"""Where the sum over rows runs: one file per engine."""
