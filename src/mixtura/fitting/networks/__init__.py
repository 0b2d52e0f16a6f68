"""Fits of block models: starts, moves, searches over the number of blocks."""
