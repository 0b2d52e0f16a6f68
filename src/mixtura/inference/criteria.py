"""What a fitted mixture is worth: log-likelihood less a price for its parameters.

All are in the sign in which smaller is better, on the scale of -2 log-likelihood.
"""

from __future__ import annotations

import math


def bic(loglik: float, n_parameters: int, weight: float) -> float:
    """-2 log L + p ln n. Schwarz (1978), Annals of Statistics 6; n is the sum of the weights."""
    return -2.0 * loglik + n_parameters * math.log(weight)


def icl(loglik: float, n_parameters: int, weight: float, certainty: float) -> float:
    """BIC - 2 sum_i w_i log max_k P(k | x_i): groups must also be told apart.

    certainty is that sum, at most 0. Biernacki, Celeux & Govaert (2000), IEEE PAMI 22, with every
    row in its most probable group, as in mclust.
    """
    return bic(loglik, n_parameters, weight) - 2.0 * certainty


def aic(loglik: float, n_parameters: int) -> float:
    """-2 log L + 2 p. Akaike (1974), IEEE Transactions on Automatic Control 19."""
    return -2.0 * loglik + 2.0 * n_parameters


def aicc(loglik: float, n_parameters: int, weight: float) -> float:
    """AIC + 2 p (p + 1) / (n - p - 1); infinite where n <= p + 1.

    Hurvich & Tsai (1989), Biometrika 76.
    """
    left = weight - n_parameters - 1
    if left <= 0:
        return math.inf
    return aic(loglik, n_parameters) + 2.0 * n_parameters * (n_parameters + 1) / left
