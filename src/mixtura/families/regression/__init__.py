"""Regressions: a response given covariates, within each component."""
