/* Options of SOL_SOCKET and SOL_NETLINK: what can be set, and what is read back. */
#include "client.h"

static int s;

static void get(const char *name, int level, int option, int room)
{
    int value[16] = {-7, -7, -7, -7};
    socklen_t length = room;
    if (getsockopt(s, level, option, value, &length) < 0)
        printf("get %s: %s\n", name, error_name(errno));
    else
        printf("get %s: length %d, %d %d\n", name, length, value[0], value[1]);
}

static void set(const char *name, int level, int option, int value)
{
    printf("set %s to %d: %s\n", name, value,
           setsockopt(s, level, option, &value, sizeof value) < 0 ? error_name(errno) : "ok");
    get(name, level, option, 4);
}

int main(void)
{
    static const struct {
        const char *name;
        int option;
    } sockets[] = {
        {"SO_TYPE", SO_TYPE}, {"SO_DOMAIN", SO_DOMAIN}, {"SO_PROTOCOL", SO_PROTOCOL},
        {"SO_ERROR", SO_ERROR}, {"SO_PASSCRED", SO_PASSCRED}, {"SO_ACCEPTCONN", SO_ACCEPTCONN},
        {"SO_REUSEADDR", SO_REUSEADDR}, {"SO_BROADCAST", SO_BROADCAST},
        {"SO_KEEPALIVE", SO_KEEPALIVE}, {"SO_LINGER", SO_LINGER}, {"SO_RCVLOWAT", SO_RCVLOWAT},
        {"SO_SNDLOWAT", SO_SNDLOWAT}, {"SO_PRIORITY", SO_PRIORITY}, {"SO_MARK", SO_MARK},
        {"SO_TIMESTAMP", SO_TIMESTAMP}, {"SO_PEEK_OFF", 42}, {"SO_RXQ_OVFL", 40},
        {"SO_PEERCRED", SO_PEERCRED}, {"SO_BINDTODEVICE", 25}, {"option 200", 200},
    };
    static const char *netlink[] = {"option 0", "ADD_MEMBERSHIP", "DROP_MEMBERSHIP", "PKTINFO",
        "BROADCAST_ERROR", "NO_ENOBUFS", "RX_RING", "TX_RING", "LISTEN_ALL_NSID",
        "LIST_MEMBERSHIPS", "CAP_ACK", "EXT_ACK", "GET_STRICT_CHK", "option 13"};
    unsigned i;

    s = open_socket(SOCK_DGRAM);
    get("SO_TYPE", SOL_SOCKET, SO_TYPE, 4);
    close(s);
    s = open_socket(SOCK_RAW);
    for (i = 0; i < sizeof sockets / sizeof *sockets; i++)
        get(sockets[i].name, SOL_SOCKET, sockets[i].option, 12);
    get("SO_TYPE, room 2", SOL_SOCKET, SO_TYPE, 2);
    get("SO_TYPE, room 0", SOL_SOCKET, SO_TYPE, 0);

    set("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 100);
    set("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 65536);
    set("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 100);
    set("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 32768);
    set("SO_PASSCRED", SOL_SOCKET, SO_PASSCRED, 5);
    set("SO_TYPE", SOL_SOCKET, SO_TYPE, 2);
    set("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 3);
    set("SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3);

    struct timeval t = {1, 500000};
    works("set SO_RCVTIMEO", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    t = (struct timeval){0, 1000000};
    works("set SO_SNDTIMEO to 1000000 us", setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
    works("set SO_SNDTIMEO of 8 bytes", setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, 8));
    get("SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, 16);
    get("SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, 16);

    for (i = 0; i < sizeof netlink / sizeof *netlink; i++) {
        char name[40];
        snprintf(name, sizeof name, "NETLINK_%s", netlink[i]);
        get(name, SOL_NETLINK, i, 4);
        if (i < 1 || i == 6 || i == 7)
            continue;
        set(name, SOL_NETLINK, i, 3);
        set(name, SOL_NETLINK, i, 0);
        get(name, SOL_NETLINK, i, 3);
    }
    set("ADD_MEMBERSHIP", SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 16);
    get("LIST_MEMBERSHIPS", SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 8);
    get("LIST_MEMBERSHIPS, room 0", SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 0);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1 << 4};
    works("bind to a group", bind(s, (void *)&a, sizeof a));
    socklen_t length = sizeof a;
    works("getsockname", getsockname(s, (void *)&a, &length));
    printf("groups %#x\n", a.nl_groups);

    /* A filter that keeps nothing, then 20 bytes. */
    char answer[1000];
    struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0}, some = {BPF_RET | BPF_K, 0, 0, 20};
    struct sock_fprog program = {1, &nothing};
    works("detach no filter", setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &i, sizeof i));
    works("attach", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    ask(s, 1);
    show("nothing comes", recv(s, answer, sizeof answer, MSG_DONTWAIT));
    program.filter = &some;
    works("attach another", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    ask(s, 2);
    show("20 bytes come", recv(s, answer, sizeof answer, MSG_DONTWAIT));
    program.len = 0;
    works("attach no program", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    program = (struct sock_fprog){1, (void *)16};
    works("attach a bad pointer", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    works("attach of 8 bytes", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, 8));
    some.code = 0xffff;
    program = (struct sock_fprog){1, &some};
    works("attach nonsense", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    works("detach", setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &i, sizeof i));
    ask(s, 3);
    show("all comes", recv(s, answer, sizeof answer, MSG_DONTWAIT) > 20);
    return 0;
}
