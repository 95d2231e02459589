/* Random system calls with random arguments on two sockets. argv: seed, calls.
 * Prints what each returned; what comes next is the same in every run with one seed. */
#include "client.h"

static unsigned long state;

static unsigned long number(unsigned long below)
{
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (state >> 33) % below;
}

static char *arena;

static unsigned long argument(int s)
{
    switch (number(13)) {
    case 0: return 0;
    case 1: return number(40);
    case 2: return -1UL;
    case 3: return s;
    case 4: return (unsigned long)arena + number(4000);
    case 5: return (unsigned long)arena + number(512) * 8;
    case 6: return (unsigned long)arena + 8192 - number(40); /* what follows is not there */
    case 7: return number(1UL << 31) << number(33);
    case 8: return 1UL << number(64);
    case 9: return 12 + number(4);
    case 10: return 16;
    case 11: return number(2) ? 1 : 270;
    default: return number(2000);
    }
}

/* Structures that are nearly right reach further than noise does. */
static void scribble(void)
{
    unsigned long *words = (void *)arena;
    int i;
    for (i = 0; i < 40; i++)
        words[number(512)] = argument(3);
    memcpy(arena + number(100) * 8, &KERNEL, sizeof KERNEL);
    make_request(arena + 2048, number(1000));
    /* Not its type and flags: a real kernel has more families to answer, and to dump. */
    arena[2056 + number(32)] = number(256);
    words[32] = (unsigned long)arena; /* an iovec at 256, a msghdr at 320 */
    words[33] = number(3000);
    words[34] = (unsigned long)arena + 2048;
    words[35] = number(100);
    words[40] = number(3) ? (unsigned long)arena + 1024 : argument(3);
    words[41] = number(3) ? 12 : argument(3);
    words[42] = (unsigned long)arena + 256;
    words[43] = number(4) ? number(3) : argument(3);
    words[44] = number(3) ? (unsigned long)arena + 3072 : argument(3);
    words[45] = number(3) ? number(100) : argument(3);
    words[46] = argument(3);
    memcpy(arena + 1024, &KERNEL, sizeof KERNEL);
}

/* A result that is a descriptor or an address is another one in each run. */
static void report(int at, const char *name, unsigned long a, unsigned long b, long result)
{
    printf("%d %s %lx %lx: ", at, name, a, b);
    if (result < 0)
        printf("%s\n", error_name(errno));
    else
        printf("%ld\n", result);
}

int main(int argc, char **argv)
{
    static const struct {
        int number;
        const char *name;
    } calls[] = {{SYS_bind, "bind"}, {SYS_connect, "connect"}, {SYS_getsockname, "getsockname"},
        {SYS_getpeername, "getpeername"}, {SYS_sendto, "sendto"}, {SYS_recvfrom, "recvfrom"},
        {SYS_sendmsg, "sendmsg"}, {SYS_recvmsg, "recvmsg"}, {SYS_sendmmsg, "sendmmsg"},
        {SYS_recvmmsg, "recvmmsg"}, {SYS_read, "read"}, {SYS_write, "write"}, {SYS_readv, "readv"},
        {SYS_writev, "writev"}, {SYS_setsockopt, "setsockopt"}, {SYS_getsockopt, "getsockopt"},
        {SYS_shutdown, "shutdown"}, {SYS_listen, "listen"}, {SYS_accept, "accept"},
        {SYS_accept4, "accept4"}, {SYS_dup, "dup"}, {SYS_fcntl, "fcntl"}, {SYS_ioctl, "ioctl"},
        {SYS_socket, "socket"}};
    char answer[4096];
    int s[2], i, n = atoi(argv[2]);

    (void)argc;
    state = atoi(argv[1]);
    /* At one place, so that what is read from it as a number is the same in every run. */
    arena = mmap((void *)0x10000000, 12288, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    munmap(arena + 8192, 4096);
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < 2; i++) {
        struct sockaddr_nl a = {AF_NETLINK, 0, 4194400 + i, 0};
        s[i] = open_socket(SOCK_RAW | SOCK_NONBLOCK);
        bind(s[i], (void *)&a, sizeof a);
    }
    for (i = 0; i < n; i++) {
        int c = number(sizeof calls / sizeof *calls), call = calls[c].number;
        int near = number(2), fd = s[number(2)];
        unsigned long a = argument(3), b = argument(3), d = argument(3), e = argument(3);
        unsigned long f = argument(3);
        long result;

        if (number(3) == 0)
            scribble();
        if (call == SYS_socket)
            f = AF_NETLINK, b = NETLINK_GENERIC;
        else if (call == SYS_ioctl)
            a = number(2) ? FIONREAD : SIOCOUTQ;
        else if (call == SYS_fcntl)
            a = number(2) ? F_DUPFD : F_DUPFD_CLOEXEC, b = number(2) ? number(500) : b | 1UL << 20;
        else if (near && (call == SYS_sendmsg || call == SYS_recvmsg))
            a = (unsigned long)arena + 320, b = number(3) ? 0x40 : b;
        else if (near && (call == SYS_sendto || call == SYS_recvfrom))
            a = (unsigned long)arena + 2048, b = 20 + number(20), d = 0x40, e = f = 0;
        else if (near && (call == SYS_setsockopt || call == SYS_getsockopt))
            a = number(2) ? SOL_SOCKET : SOL_NETLINK, b = number(70), d = (unsigned long)arena, e = 16;
        if (call == SYS_socket)
            result = syscall(call, f, a, b);
        else
            result = syscall(call, fd, a, b, d, e, f);
        if (result >= 0 && (call == SYS_dup || call == SYS_fcntl || call == SYS_socket)) {
            close(result);
            result = 0;
        }
        report(i, calls[c].name, a, b, result);
    }
    s[0] = open_bound();
    show("send", ask(s[0], 1));
    show("recv", recv(s[0], answer, sizeof answer, 0) > 60);
    return 0;
}
