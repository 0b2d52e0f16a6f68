"""Model, data and starts put together into a Fit."""
