"""How hidden labels are related: one file per model."""
