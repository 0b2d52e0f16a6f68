"""What a component says of a row that was left out of it."""

from __future__ import annotations

from typing import Any

from mixtura.records import AnyArray, Array


class LeavesOut:
    """A family that says `follows_noise` has `left_out`: where rows are few its hills are noise."""

    follows_noise: bool = False

    def left_out(self, X: AnyArray, params: Any, taken: Array, counts: Array, prior: Any) -> Array:
        """log p(x_i | k) after an M-step without what k has `taken` of the row, (n, K).

        `counts` (K,) are the sums of all shares at `params`, where an M-step changes nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no M-step without a row")
