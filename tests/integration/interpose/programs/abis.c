/* System calls by the host's other ABIs, and io_uring: none of them reaches the real netlink. */
#include "client.h"

#if defined(__x86_64__)
static long compat(long nr, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return (int)result;
}

static void show_compat(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? error_name(-result) : "ok");
}
#endif

int main(void)
{
    char params[256] = {0};

#if defined(__x86_64__)
    int *args = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long getpid_result = compat(20, 0, 0, 0);

    if (getpid_result == getpid()) {
        show_compat("i386 socket", compat(359, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
        show_compat("i386 socket of another protocol", compat(359, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
        show_compat("i386 socket of another family", compat(359, AF_UNIX, SOCK_STREAM, 0));
        args[0] = AF_NETLINK, args[1] = SOCK_RAW, args[2] = NETLINK_GENERIC;
        show_compat("socketcall", compat(102, 1, (long)args, 0));
        args[2] = NETLINK_ROUTE;
        show_compat("socketcall of another protocol", compat(102, 1, (long)args, 0));
        show_compat("socketcall, bad pointer", compat(102, 1, 16, 0));
        show_compat("i386 io_uring_setup", compat(425, 4, (long)args, 0));
    } else {
        printf("no i386\n");
    }
    works("x32 socket", syscall(0x40000000 | 41, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
    works("x32 io_uring_setup", syscall(0x40000000 | 425, 4, params));
#endif
    works("io_uring_setup", syscall(425, 4, params));
    return 0;
}
