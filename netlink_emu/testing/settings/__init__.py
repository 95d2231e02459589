"""The options of kernels, from the factory, from markers, and from the project."""
