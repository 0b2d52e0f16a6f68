"""Multivariate t components."""
