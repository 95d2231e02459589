"""Python clients in the test's own process: a function runs in a thread under the filter.

A seccomp filter belongs to a thread, so the rest of the process keeps its real netlink. Another
process must answer the stopped calls: CPython holds its lock during getsockopt(2) and a few other
calls, and an answering thread of the same process would wait for it for ever.

``threads`` starts the function, in this process. ``helper`` is the other process, which answers.
The kernel stays here, where ``service`` carries out the helper's calls in the loop's thread. One
socket pair per thread connects both: a relay, as between ``run --connect`` and a server.
"""
