"""The contract of models and families, for users' own: the same that the library's inherit.

Each check raises an AssertionError whose sentence says what does not hold and where to look.
"""

from mixtura.testing.family import check_family
from mixtura.testing.model import check_model

__all__ = ["check_family", "check_model"]
