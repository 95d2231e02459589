"""What a case is, how it is written, and where cases are stored."""
