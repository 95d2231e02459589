"""Recording clients: their sockets are the host kernel's own, and what passes on them is noted.

A netlink socket is made in the client's place and put at a number where the filter stops its
calls. What a client sends, binds and sets passes on to its own kernel once it is noted; what it
receives we receive in its place, from a duplicate of its descriptor, and hand on.
"""
