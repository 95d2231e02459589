"""Make datagrams readable: decode, describe and render them, and write them to captures."""
