"""Gaussian laws with heavy tails: rows count by how far out they are bound to lie."""
