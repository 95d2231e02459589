"""The command line's root: collects the commands, prints our errors as one line."""
