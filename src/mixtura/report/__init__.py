"""A mixture for human eyes: text and figures. Matplotlib is loaded by `figures` only."""
