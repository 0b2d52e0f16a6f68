"""What a component is: one file per family, K densities at once."""

# "auto" makes products, whose blocks are named by the registry: it cannot stand there itself.
from mixtura.families import automatic as automatic
