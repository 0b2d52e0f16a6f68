"""How states follow each other, in words: what a hidden Markov model's report adds."""

from __future__ import annotations

from mixtura.records import Array


def chain_text(initial: Array, transitions: Array) -> str:
    """First states, how long states last, and the transition matrix, in plain text."""
    K = len(initial)
    head = ["state", "begins", "lasts", *(f"to {k}" for k in range(K))]
    lines = [head]
    for k in range(K):
        moves = [f"{share:.3f}" for share in transitions[k]]
        lines.append([str(k), f"{initial[k]:.3f}", _lasting(float(transitions[k, k])), *moves])
    widths = [max(len(line[j]) for line in lines) for j in range(len(head))]
    text = "\n".join(
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return f"  how states follow each other (lasts: expected steps of a stay)\n{text}"


def _lasting(stay: float) -> str:
    """Expected steps of a stay, 1 / (1 - the probability to stay)."""
    return "always" if stay >= 1.0 else f"{1.0 / (1.0 - stay):.3g}"
