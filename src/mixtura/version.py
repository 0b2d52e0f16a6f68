"""The version of the library, in one place: the package and the model files take it from here."""

__version__ = "0.1.0"
