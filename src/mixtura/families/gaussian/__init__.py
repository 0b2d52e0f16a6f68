"""Normal components under one of mclust's covariance structures."""
