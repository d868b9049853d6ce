"""Several runs together on one GPU, as CUDA graphs."""
