"""The colour of each component: the same in text and in figures."""

from __future__ import annotations

import numpy as np

from mixtura.records import Array

# Okabe & Ito (2008), safe for the colour-blind, without the yellow that white paper swallows.
SAFE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5A5A5A")
# Of rows that are noise, as numbers between 0 and 1.
NOISE_GREY = (0.7, 0.7, 0.7)
# Beyond those: hues all round, neighbours on the circle told apart by lightness.
LIGHTNESS = (0.48, 0.64, 0.78)
CHROMA = 0.13


def colours(K: int) -> list[str]:
    """K distinct colours as "#rrggbb"; the first seven are safe for the colour-blind."""
    if len(SAFE) >= K:
        return list(SAFE[:K])
    hues = np.arange(K) / K * 2 * np.pi
    light = np.array([LIGHTNESS[k % len(LIGHTNESS)] for k in range(K)])
    lab = np.stack([light, CHROMA * np.cos(hues), CHROMA * np.sin(hues)], axis=1)
    return ["#{:02X}{:02X}{:02X}".format(*row) for row in _srgb(lab)]


def rgb(K: int) -> Array:
    """The same colours as numbers between 0 and 1, (K, 3)."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours(K)])


def heat(share: float) -> str:
    """From white to the first colour as a share goes from 0 to 1, "#rrggbb"."""
    shade = 255 * (1 + share * (rgb(1)[0] - 1))
    return "#{:02X}{:02X}{:02X}".format(*shade.round().astype(int))


def _srgb(lab: Array) -> list[list[int]]:
    """OKLab (Ottosson 2020) to 8-bit sRGB, clipped to what screens can show."""
    to_cone = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cone.T) ** 3 @ to_linear.T, 0.0, 1.0)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [[round(255 * float(v)) for v in row] for row in curved]
