"""The thread of the emulated kernels, and calls into it from any other."""
