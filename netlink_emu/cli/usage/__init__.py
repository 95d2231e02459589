"""What commands take: options and arguments, and the examples of --help."""
