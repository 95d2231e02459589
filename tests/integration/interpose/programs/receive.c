/* What the calls that receive return and write, datagram by datagram. */
#include "client.h"

static char answer[8192];

/* The emulated kernel takes everybody for root, unless told otherwise. */
static int is_ours(unsigned uid)
{
    return uid == getuid() || uid == 0;
}

static void show_message(const char *what, const struct msghdr *m, long result)
{
    const struct sockaddr_nl *name = m->msg_name;
    struct cmsghdr *c;
    printf("%s: ", what);
    if (result < 0)
        printf("%s", error_name(errno));
    else
        printf("%ld", result);
    printf(" namelen %d controllen %zu flags %#x", m->msg_namelen, m->msg_controllen, m->msg_flags);
    if (name && m->msg_namelen)
        printf(" from %d/%u/%u", name->nl_family, name->nl_pid, name->nl_groups);
    for (c = m->msg_controllen ? CMSG_FIRSTHDR(m) : 0; c; c = CMSG_NXTHDR((struct msghdr *)m, c))
        printf(" [%d/%d len %zu: %d %d %d]", c->cmsg_level, c->cmsg_type, c->cmsg_len,
               *(int *)CMSG_DATA(c), c->cmsg_len >= 24 ? ((int *)CMSG_DATA(c))[1] : -1,
               c->cmsg_len >= 28 ? ((int *)CMSG_DATA(c))[2] : -1);
    printf("\n");
    fflush(stdout);
}

static long receive(const char *what, int s, void *buffer, size_t size, int flags, int namelen,
                    int controllen)
{
    static struct sockaddr_nl name[8];
    static char control[256];
    struct iovec iov = {buffer, size};
    struct msghdr m = {.msg_name = namelen < 0 ? 0 : name, .msg_namelen = namelen < 0 ? 99 : namelen,
                       .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = controllen, .msg_flags = 0x777};
    memset(name, 0, sizeof name);
    memset(control, 0, sizeof control);
    long result = recvmsg(s, &m, flags);
    show_message(what, &m, result);
    return result;
}

int main(void)
{
    int s = open_bound(), n, on = 1;
    long whole, sum;
    unsigned seq = 1;
    struct sockaddr_nl from[2];
    socklen_t length;

    /* The whole answer's length is the kernel's own matter: later numbers are relative to it. */
    ask(s, seq++);
    whole = recv(s, answer, sizeof answer, 0);
    printf("answers %s\n", whole > 60 ? "are long enough" : "are too short");

    ask(s, seq++);
    show("recv cut to 20", recv(s, answer, 20, 0));
    show("the rest is gone", recv(s, answer, 100, MSG_DONTWAIT));
    ask(s, seq++);
    show("MSG_TRUNC tells the length", recv(s, answer, 20, MSG_TRUNC) - whole);
    ask(s, seq++);
    show("peek at 1 byte", recv(s, answer, 1, MSG_PEEK));
    show("peek and trunc, no buffer", recv(s, 0, 0, MSG_PEEK | MSG_TRUNC) - whole);
    show("peek again", recv(s, answer, sizeof answer, MSG_PEEK) - whole);
    show("recv of no bytes takes it", recv(s, answer, 0, 0));
    show("it is gone", recv(s, answer, 100, MSG_DONTWAIT));

    ask(s, seq++);
    length = sizeof from;
    memset(from, 0x55, sizeof from);
    show("recvfrom", recvfrom(s, answer, sizeof answer, 0, (void *)from, &length) - whole);
    printf("from %d/%u/%u, length %d, behind it %#x\n", from[0].nl_family, from[0].nl_pid,
           from[0].nl_groups, length, from[1].nl_family);
    ask(s, seq++);
    length = 4;
    memset(from, 0x55, sizeof from);
    show("recvfrom, room 4", recvfrom(s, answer, sizeof answer, 0, (void *)from, &length) - whole);
    printf("length %d, pid %#x\n", length, from[0].nl_pid);

    ask(s, seq++);
    show("read", read(s, answer, sizeof answer) - whole);
    ask(s, seq++);
    show("read 5", read(s, answer, 5));
    ask(s, seq++);
    struct iovec pieces[4] = {{answer, 16}, {answer + 100, 0}, {answer + 200, 4}, {answer + 300, 4000}};
    memset(answer, 0, sizeof answer);
    show("readv", readv(s, pieces, 4) - whole);
    printf("pieces: type %d, command %d\n", ((struct nlmsghdr *)answer)->nlmsg_type, answer[200]);
    ask(s, seq++);
    show("writev", writev(s, (struct iovec[]){{"\x1c\0\0\0\x10\0\1\0", 8}, {"abcdpppp\3\1\0\0", 12},
                                              {"\6\0\1\0\x10\0\0\0", 8}}, 3));
    n = 0;
    while (recv(s, answer, sizeof answer, MSG_DONTWAIT) == whole)
        n++;
    printf("answers: %d, the last to %.4s\n", n, answer + 8);

    ask(s, seq++);
    receive("plain", s, answer, 10, 0, 12, 0);
    ask(s, seq++);
    receive("cut name", s, answer, 10, MSG_TRUNC | MSG_PEEK, 2, 0);
    receive("long name", s, answer, 10, MSG_CMSG_CLOEXEC, 96, 100);
    ask(s, seq++);
    receive("no name", s, answer, 10, 0, -1, 100);
    receive("nothing", s, answer, 10, MSG_DONTWAIT, 12, 100);

    setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof on);
    ask(s, seq++);
    receive("packet info", s, answer, 10, 0, 12, 100);
    ask(s, seq++);
    receive("packet info, room 20", s, answer, 10, 0, 12, 20);
    ask(s, seq++);
    receive("packet info, room 18", s, answer, 10, 0, 12, 18);
    ask(s, seq++);
    receive("packet info, room 8", s, answer, 10, 0, 12, 8);
    setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    ask(s, seq++);
    receive("with credentials", s, answer, 10, 0, 12, 100);
    ask(s, seq++);
    receive("with credentials, room 40", s, answer, 10, 0, 12, 40);
    ask(s, seq++);
    show("recv does without", recv(s, answer, 10, 0));

    /* A datagram from another socket of this process. */
    int other = open_socket(SOCK_DGRAM);
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = portid_of(s)};
    show("to a neighbour", sendto(other, "hello", 5, 0, (void *)&to, sizeof to));
    struct iovec iov = {answer, sizeof answer};
    char control[100];
    struct msghdr m = {.msg_name = from, .msg_namelen = 12, .msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    show("from it", recvmsg(s, &m, 0));
    struct cmsghdr *c = CMSG_NXTHDR(&m, CMSG_FIRSTHDR(&m));
    printf("its portid %s, its pid %s, its uid %s\n",
           from[0].nl_pid == portid_of(other) ? "right" : "wrong",
           *(int *)CMSG_DATA(c) == getpid() ? "right" : "wrong",
           is_ours(((unsigned *)CMSG_DATA(c))[1]) ? "right" : "wrong");
    show("to a neighbour, by group too",
         sendto(other, "hello", 5, 0, (void *)&(struct sockaddr_nl){16, 0, to.nl_pid, 1}, 12));
    show("from it again", recv(s, answer, sizeof answer, MSG_DONTWAIT));

    /* Several at a time. */
    struct mmsghdr many[6];
    struct iovec vectors[6];
    static char buffers[6][4096];
    memset(many, 0, sizeof many);
    for (n = 0; n < 6; n++) {
        vectors[n] = (struct iovec){buffers[n], 4096};
        many[n].msg_hdr.msg_iov = &vectors[n];
        many[n].msg_hdr.msg_iovlen = 1;
    }
    for (n = 0; n < 3; n++)
        vectors[n].iov_len = make_request(buffers[n], 100 + n);
    show("sendmmsg", sendmmsg(s, many, 3, 0));
    printf("lengths %u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
    vectors[1].iov_len = 0;
    show("sendmmsg stops at the second", sendmmsg(s, many, 3, 0));
    vectors[0].iov_len = 0;
    show("sendmmsg fails at the first", sendmmsg(s, many, 3, 0));
    for (n = 0; n < 6; n++)
        vectors[n].iov_len = 4096;
    show("recvmmsg of 2", recvmmsg(s, many, 2, 0, 0));
    for (sum = n = 0; n < 2; n++)
        sum += many[n].msg_len;
    printf("lengths right: %d, flags %#x\n", sum == 2 * whole, many[0].msg_hdr.msg_flags);
    show("recvmmsg MSG_WAITFORONE", recvmmsg(s, many, 6, MSG_WAITFORONE, 0));
    show("recvmmsg MSG_DONTWAIT", recvmmsg(s, many, 6, MSG_DONTWAIT, 0));
    show("recvmmsg of 0", recvmmsg(s, many, 0, 0, 0));
    ask(s, seq++);
    ask(s, seq++);
    struct timespec t = {0, 0};
    show("recvmmsg, time is up after one", recvmmsg(s, many, 6, 0, &t));
    t = (struct timespec){0, 1000000000};
    show("recvmmsg, bad time", recvmmsg(s, many, 6, 0, &t));
    t = (struct timespec){100, 0};
    show("recvmmsg, time left", recvmmsg(s, many, 1, 0, &t));
    printf("time left %s\n", t.tv_sec == 99 ? "99 and a bit" : "wrong");
    ask(s, seq++);
    many[1].msg_hdr.msg_iov = (void *)16;
    ask(s, seq++);
    show("recvmmsg meets a bad vector", recvmmsg(s, many, 2, 0, 0));
    show("the error comes next", recv(s, answer, 10, MSG_DONTWAIT));
    show("and then the datagram", recv(s, answer, 10, MSG_DONTWAIT));
    return 0;
}
