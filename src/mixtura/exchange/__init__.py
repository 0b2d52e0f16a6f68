"""A fitted mixture in other forms: as a graph of ONNX, as a module of PyTorch."""
