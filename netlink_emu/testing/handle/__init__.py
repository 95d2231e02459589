"""What a handle consists of: the booted kernel, its time, its clients, its cassette."""
