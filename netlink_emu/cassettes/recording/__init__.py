"""From what passes on clients' sockets to a cassette, also after the recorder was killed."""
