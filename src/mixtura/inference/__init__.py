"""What a fit is worth and what it costs: solvers compared on the same starts."""
