/* hostile SEED CALLS: calls with any pointers and lengths, drawn from a seeded generator.
 *
 * Prints a line for each call: what it was, what it returned, and a digest of all memory that it
 * could have written to. Pointers lead into an arena at a fixed place, with pages that are not
 * there, or to nowhere; lengths are near each bound that somebody may have forgotten. Nothing
 * printed is from one run. Numbers in memory are aligned: one that lies across the end of what is
 * there is written in part by the interposer, and not at all by the kernel. */
#include "client.h"
#include <sched.h>

#define PAGE 4096UL
#define ARENA 0x10000000UL
static unsigned char *const arena = (void *)ARENA; /* rw rw -- rw r- and nothing behind */

static unsigned long state;
static int sockets[3];

static unsigned long number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 2685821657736338717UL >> 16;
}

static unsigned long below(unsigned long bound)
{
    return number() % bound;
}

static int chance(unsigned long percent)
{
    return below(100) < percent;
}

static int in_arena(unsigned long at, unsigned long size)
{
    if (at < ARENA || at >= ARENA + 4 * PAGE)
        return 0;
    return at + size <= ARENA + (at < ARENA + 2 * PAGE ? 2 : 4) * PAGE &&
           (at < ARENA + 2 * PAGE || at >= ARENA + 3 * PAGE);
}

/* A place with room for ``size`` bytes more often than not. */
static unsigned long place(unsigned long size)
{
    static const unsigned long nowhere[] = {
        0, 1, 8, 4095, ARENA + 2 * PAGE, ARENA + 5 * PAGE, ARENA - 1, 0x7ffffffff000UL,
        0x7fffffffffffUL, 0x800000000000UL, 1UL << 62, (1UL << 63) - 1, 1UL << 63,
        0xffffffff80000000UL, -4096UL, -64UL, -16UL, -1UL,
    };
    unsigned long kind = below(100), span = size < PAGE ? PAGE - size : 1;

    if (kind < 70)
        return ARENA + (chance(50) ? 3 * PAGE : below(2) * PAGE) + below(span) / 8 * 8;
    if (kind < 76)
        return ARENA + (chance(50) ? 2 : 4) * PAGE - 8 - below(size + 8) / 8 * 8; /* an end */
    if (kind < 80)
        return ARENA + 4 * PAGE + below(PAGE); /* may be read alone */
    if (kind < 84)
        return ARENA + below(6 * PAGE / 8) * 8;
    return nowhere[below(sizeof nowhere / sizeof *nowhere)];
}

static unsigned long length(unsigned long fitting)
{
    static const unsigned long bounds[] = {
        0, 1, 2, 3, 4, 8, 11, 12, 13, 15, 16, 17, 56, 127, 128, 129, 1023, 1024, 1025, 4095, 4096,
        8192, 65535, 65536, 212959, 212960, 212992, 1UL << 20, (1UL << 31) - 4097,
        (1UL << 31) - 4096, (1UL << 31) - 1, 1UL << 31, (1UL << 31) + 12, (1UL << 32) - 1,
        1UL << 32, (1UL << 32) + 12, (1UL << 63) - 1, 1UL << 63, (1UL << 63) + 12, -4096UL, -12UL,
        -1UL,
    };
    if (chance(60))
        return fitting;
    if (chance(20))
        return below(256);
    return bounds[below(sizeof bounds / sizeof *bounds)];
}

/* HOSTILE_VERBOSE=1: what a vector holds. */
static void show_vector(unsigned long at, unsigned long count)
{
    unsigned long i, *words = (void *)at;
    if (!getenv("HOSTILE_VERBOSE"))
        return;
    for (i = 0; i < count && i < 8 && in_arena(at + i * 16, 16); i++)
        printf("    piece %lx+%lx\n", words[2 * i], words[2 * i + 1]);
}

static void put(unsigned long at, const void *data, unsigned long size)
{
    if (in_arena(at, size))
        memcpy((void *)at, data, size);
}

/* Messages that a kernel answers, or not: the same in every kernel of a release. */
static unsigned long message(unsigned long at)
{
    char data[64];
    unsigned long size = make_request(data, number() & 0xffff);
    struct nlmsghdr *header = (void *)data;

    switch (below(8)) {
    case 0: /* an ack */
        header->nlmsg_type = NLMSG_NOOP;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        header->nlmsg_len = size = 16;
        break;
    case 1: /* no such family */
        header->nlmsg_type = 0x3fe;
        break;
    case 2: /* an attribute that is too short */
        data[20] = 5;
        break;
    case 3: /* no such operation, and it is told */
        data[16] = 77;
        header->nlmsg_flags |= NLM_F_ACK;
        break;
    case 4: /* beyond its datagram */
        header->nlmsg_len = number();
        break;
    case 5:
        for (size = 0; size < sizeof data; size++)
            data[size] = number();
        header->nlmsg_type = chance(50) ? GENL_ID_CTRL : below(16);
        header->nlmsg_flags &= ~NLM_F_DUMP; /* what families there are is from one machine */
        data[16] = 3;
        break;
    }
    put(at, data, size);
    return size;
}

static unsigned long address(unsigned long at)
{
    static const unsigned portids[] = {0, 0, 0, 0, 1, 0x40000000, 0x40000001, 0x40000002, -1};
    struct sockaddr_nl name = {
        .nl_family = chance(90) ? AF_NETLINK : below(20),
        .nl_pad = chance(50) ? 0 : number(),
        .nl_pid = portids[below(sizeof portids / sizeof *portids)],
        .nl_groups = chance(70) ? 0 : number(),
    };
    put(at, &name, sizeof name);
    return sizeof name;
}

static unsigned long vector(unsigned long at, unsigned long *count, int sends)
{
    unsigned long i, pieces = chance(70) ? 1 : below(5);

    for (i = 0; i < pieces; i++) {
        struct iovec piece;
        piece.iov_base = (void *)place(256);
        piece.iov_len = length(sends ? message((unsigned long)piece.iov_base) : 256);
        put(at + i * sizeof piece, &piece, sizeof piece);
    }
    *count = chance(90) ? pieces : length(pieces);
    show_vector(at, *count);
    return at;
}

static unsigned long control(unsigned long at, int sends)
{
    struct { size_t len; int level, type; int data[4]; } c = {0};

    if (!sends)
        return 64;
    c.len = chance(70) ? 16 + below(17) : length(28);
    c.level = chance(60) ? SOL_SOCKET : chance(50) ? SOL_NETLINK : number();
    c.type = chance(60) ? SCM_CREDENTIALS : below(4);
    c.data[0] = chance(50) ? 1 : number();
    put(at, &c, sizeof c);
    return chance(80) ? (c.len + 7) & ~7UL : 16 + below(17);
}

static unsigned long header(unsigned long at, int sends)
{
    struct msghdr m = {0};
    unsigned long count;

    m.msg_name = chance(50) ? 0 : (void *)place(16);
    m.msg_namelen = length(m.msg_name ? address((unsigned long)m.msg_name) : 0);
    m.msg_iov = (void *)place(64);
    vector((unsigned long)m.msg_iov, &count, sends);
    m.msg_iovlen = count;
    if (chance(40)) {
        m.msg_control = (void *)place(64);
        m.msg_controllen = length(control((unsigned long)m.msg_control, sends));
    }
    m.msg_flags = number();
    put(at, &m, sizeof m);
    return at;
}

static unsigned long headers(unsigned long at, int sends)
{
    unsigned long i, count = below(4);
    for (i = 0; i < count; i++)
        header(at + i * 64, sends);
    return chance(90) ? count : length(count);
}

/* MSG_DONTWAIT is always there, and never MSG_ERRQUEUE's or MSG_CMSG_COMPAT's neighbours. */
static unsigned flags(void)
{
    static const unsigned known[] = {MSG_PEEK, MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_NOSIGNAL,
                                     MSG_CMSG_CLOEXEC, MSG_WAITALL, MSG_EOR, MSG_MORE};
    unsigned found = MSG_DONTWAIT;
    while (chance(30))
        found |= known[below(sizeof known / sizeof *known)];
    return found;
}

static void reopen(int which)
{
    int tries;
    struct sockaddr_nl name = {.nl_family = AF_NETLINK};
    if (sockets[which])
        close(sockets[which]);
    name.nl_pid = 0x40000000 + which;
    sockets[which] = socket(AF_NETLINK, (chance(50) ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK,
                            NETLINK_GENERIC);
    /* Another process may have the number for a moment. */
    for (tries = 0; bind(sockets[which], (void *)&name, sizeof name) < 0; tries++) {
        if (tries == NET_MS) {
            perror("reopen");
            exit(1);
        }
        usleep(1000);
    }
}

static long pick(char *what, size_t room)
{
    static const int levels[] = {SOL_SOCKET, SOL_SOCKET, SOL_NETLINK, SOL_NETLINK, 0, -1};
    static const int options[] = {SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_PRIORITY, SO_LINGER,
                                  SO_RCVTIMEO, SO_SNDTIMEO, SO_ATTACH_FILTER, SO_DETACH_FILTER,
                                  SO_TYPE, SO_ERROR, SO_DOMAIN, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12};
    long s = sockets[below(3)], which = below(17);
    unsigned long a = place(256), b = place(64), n, count;
    int level, option;
    unsigned room_;

    if (chance(2))
        s = -1;
    switch (which) {
    case 0:
        n = length(address(a));
        snprintf(what, room, "bind %lx+%lx", a, n);
        return syscall(SYS_bind, s, a, n);
    case 1:
        n = length(address(a));
        snprintf(what, room, "connect %lx+%lx", a, n);
        return syscall(SYS_connect, s, a, n);
    case 2:
    case 3:
        room_ = length(12);
        put(b, &room_, sizeof room_);
        snprintf(what, room, "%s %lx %lx:%x", which == 2 ? "getsockname" : "getpeername", a, b,
                 room_);
        return syscall(which == 2 ? SYS_getsockname : SYS_getpeername, s, a, b);
    case 4:
        n = length(message(a));
        room_ = flags();
        count = length(address(b));
        snprintf(what, room, "sendto %lx+%lx %x to %lx+%lx", a, n, room_, b, count);
        return syscall(SYS_sendto, s, a, n, room_, b, count);
    case 5:
        header(a, 1);
        room_ = flags();
        snprintf(what, room, "sendmsg %lx %x", a, room_);
        return syscall(SYS_sendmsg, s, a, room_);
    case 6:
        count = headers(a, 1);
        room_ = flags();
        snprintf(what, room, "sendmmsg %lx %lx %x", a, count, room_);
        return syscall(SYS_sendmmsg, s, a, count, room_);
    case 7:
        n = length(message(a));
        snprintf(what, room, "write %lx+%lx", a, n);
        return syscall(SYS_write, s, a, n);
    case 8:
        vector(a, &count, 1);
        snprintf(what, room, "writev %lx %lx", a, count);
        return syscall(SYS_writev, s, a, count);
    case 9:
        n = length(256);
        room_ = length(12);
        put(b, &room_, sizeof room_);
        count = chance(50) ? 0 : place(16);
        room_ = flags();
        snprintf(what, room, "recvfrom %lx+%lx %x from %lx %lx", a, n, room_, count, b);
        return syscall(SYS_recvfrom, s, a, n, room_, count, b);
    case 10:
        header(a, 0);
        room_ = flags();
        snprintf(what, room, "recvmsg %lx %x", a, room_);
        return syscall(SYS_recvmsg, s, a, room_);
    case 11: {
        long result;
        long time[2] = {chance(50) ? length(1) : below(3), chance(80) ? below(999999999) : number()};
        count = headers(a, 0);
        n = chance(60) ? 0 : b;
        if (n)
            put(n, time, sizeof time);
        room_ = flags() | (chance(20) ? MSG_WAITFORONE : 0);
        snprintf(what, room, "recvmmsg %lx %lx %x %lx", a, count, room_, n);
        result = syscall(SYS_recvmmsg, s, a, count, room_, n);
        if (n && in_arena(n, sizeof time)) /* what is left of it is from one run */
            memset((void *)n, 0x33, sizeof time);
        return result;
    }
    case 12:
        n = length(256);
        snprintf(what, room, "read %lx+%lx", a, n);
        return syscall(SYS_read, s, a, n);
    case 13:
        vector(a, &count, 0);
        snprintf(what, room, "readv %lx %lx", a, count);
        return syscall(SYS_readv, s, a, count);
    case 14:
        level = levels[below(6)], option = options[below(22)];
        n = length(chance(50) ? 4 : 16);
        if (level == SOL_SOCKET && option == SO_ATTACH_FILTER) {
            struct sock_filter code[2] = {{0x28, 0, 0, below(64)}, {chance(80) ? 0x6 : number(), 0, 0, below(200)}};
            struct sock_fprog program;
            memset(&program, 0, sizeof program); /* what lies between its members, too */
            program.len = length(2);
            program.filter = (void *)place(16);
            put((unsigned long)program.filter, code, sizeof code);
            put(a, &program, sizeof program);
            n = length(sizeof program);
        } else if (chance(70)) {
            long value[2] = {chance(70) ? below(70000) : number(), below(1000000)};
            put(a, value, sizeof value);
        }
        snprintf(what, room, "setsockopt %d %d %lx+%lx", level, option, a, n);
        return syscall(SYS_setsockopt, s, level, option, a, n);
    case 15:
        level = levels[below(6)], option = options[below(22)];
        if (level == SOL_SOCKET && option == SO_ATTACH_FILTER) /* SO_GET_FILTER */
            option = SO_TYPE;
        room_ = length(4);
        put(b, &room_, sizeof room_);
        snprintf(what, room, "getsockopt %d %d %lx %lx:%x", level, option, a, b, room_);
        return syscall(SYS_getsockopt, s, level, option, a, b);
    default:
        snprintf(what, room, "others");
        if (chance(30)) {
            int others[3] = {0, 0, 0};
            others[0] = syscall(SYS_listen, s, number());
            others[1] = syscall(SYS_accept4, s, a, b, number());
            others[2] = syscall(SYS_shutdown, s, below(4));
            return others[0] + others[1] + others[2];
        }
        if (chance(50)) {
            reopen(below(3));
            return 0;
        } else {
            struct pollfd p = {s, -1, 0};
            syscall(SYS_poll, &p, 1, 0);
            return p.revents & 0xff & ~POLLERR; /* of ENOBUFS: a pair cannot show that */
        }
    }
}

static unsigned long digest(void)
{
    unsigned long hash = 1469598103934665603UL, at;

    for (at = 0; at < 5 * PAGE; at++)
        if (at < 2 * PAGE || at >= 3 * PAGE)
            hash = (hash ^ arena[at]) * 1099511628211UL;
    return hash;
}

int main(int argc, char **argv)
{
    unsigned long seed = strtoul(argv[1], 0, 0), calls = strtoul(argv[2], 0, 0), i;
    char what[128];

    /* In namespaces of its own its process id is 1, and nobody else sends anything. */
    if (unshare(CLONE_NEWPID | CLONE_NEWNET) < 0) {
        perror("unshare");
        return 1;
    }
    if (fork()) {
        int status;
        wait(&status);
        return status;
    }
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    state = seed * 0x9e3779b97f4a7c15UL + 1;
    if (mmap(arena, 5 * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != arena) {
        perror("mmap");
        return 1;
    }
    for (i = 0; i < 5 * PAGE; i++)
        arena[i] = number();
    mprotect(arena + 2 * PAGE, PAGE, PROT_NONE);
    mprotect(arena + 4 * PAGE, PAGE, PROT_READ);
    for (i = 0; i < 3; i++)
        reopen(i);
    for (i = 0; i < calls; i++) {
        long result;
        errno = 0;
        result = pick(what, sizeof what);
        printf("%lu %s: %ld %s %016lx\n", i, what, result, result < 0 ? error_name(errno) : "",
               digest());
    }
    printf("end\n");
    return 0;
}
