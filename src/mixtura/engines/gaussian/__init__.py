"""What is Gaussian about the engines: fused kernels for every form of covariances, in C."""
