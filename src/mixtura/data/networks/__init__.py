"""Networks at the door: matrices, graphs, edge lists and files, made into one record."""
