"""The pytest plugin. Loaded in every pytest session: imports nothing heavy at the top."""
