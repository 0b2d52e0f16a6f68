"""Factor analysers: covariances of low rank plus a diagonal, without a d x d matrix."""
