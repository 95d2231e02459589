"""What is written from what the program says of itself: see scripts/write-docs."""
