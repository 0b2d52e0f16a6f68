"""What a component is: one file per family, K densities at once."""
