"""Contaminated normal components."""
