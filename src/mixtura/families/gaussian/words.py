"""Covariance structures in words, by mclust's letters and the names for one column."""

from __future__ import annotations

WORDS = {
    "EII": "one variance for all groups and columns",
    "VII": "one variance per group, the same in all columns",
    "EEI": "no correlation within a group; the same variances in all groups",
    "VEI": "no correlation within a group; one shape along the columns, own sizes",
    "EVI": "no correlation within a group; one size, own shapes along the columns",
    "VVI": "no correlation between columns within a group",
    "EEE": "all groups share one covariance",
    "VEE": "one shape in one direction, own sizes",
    "EVE": "one direction and one size, own shapes",
    "VVE": "one direction, own shapes and sizes",
    "EEV": "one shape and one size, own directions",
    "VEV": "one shape, own directions and sizes",
    "EVV": "one size, own shapes and directions",
    "VVV": "each group has its own covariance",
    "E": "one variance for all groups",
    "V": "one variance per group",
}
