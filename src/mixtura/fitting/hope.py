"""Whether a search goes on: by how often it found what is worth finding.

After r rounds of which s gained, one more gains with the chance (s + 1) / (r + 2): Laplace's rule
of succession (1774, Mémoire sur la probabilité des causes par les événements).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# What is worth finding, in nats per row, and the least chance of it.
NOTABLE, LEAST = 1e-3, 1 / 16


@dataclass
class Hope:
    """The rounds of a search, and in how many its best rose notably, per row."""

    rounds: int = 0
    gains: int = 0
    height: float = -math.inf

    def note(self, worth: float) -> None:
        """A round that led to this worth per row; the first says from where."""
        if worth > self.height + NOTABLE:
            self.gains += self.rounds > 0
            self.height = worth
        self.rounds += 1

    @property
    def there(self) -> bool:
        """Whether one more round may well gain."""
        return (self.gains + 1) / (self.rounds + 2) >= LEAST
