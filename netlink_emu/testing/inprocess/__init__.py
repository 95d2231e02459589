"""Python clients in the test's own process: a function runs in a thread under the filter.

A seccomp filter belongs to a thread, so that the rest of the process keeps its real netlink. Who
answers the stopped calls must be another process: CPython holds its lock during getsockopt(2) and
a few other calls, and an answering thread of the same process would wait for that for ever.

``threads`` starts the function, here; ``helper`` is the other process, which answers; the kernel
stays here, where ``service`` carries out what the helper asks for, in the loop's thread. One
socket pair a thread connects both: a relay, as between ``run --connect`` and a server.
"""
