"""Any table -> validated rows, at the door, once."""
