"""A fitted mixture in other forms: as a graph of ONNX and as a module of PyTorch."""
