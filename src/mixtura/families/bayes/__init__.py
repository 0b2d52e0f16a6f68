"""Posteriors of components whose prior is conjugate."""
