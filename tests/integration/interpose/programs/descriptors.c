/* One socket, many descriptors: dup, fork, exec, passing; and what becomes of the portid. */
#include "client.h"

static void round_trip(const char *what, int s)
{
    char answer[4096];
    struct sockaddr_nl from;
    socklen_t length = sizeof from;
    memset(&from, 0x55, sizeof from);
    if (ask(s, 1) != 28) {
        printf("%s: send %s\n", what, error_name(errno));
        return;
    }
    long n = recvfrom(s, answer, sizeof answer, 0, (void *)&from, &length);
    printf("%s: %s from %d/%u length %d, portid %s\n", what, n > 60 ? "answer" : "no answer",
           from.nl_family, from.nl_pid, length, portid_of(s) ? "set" : "0");
    fflush(stdout);
}

static int send_descriptor(int over, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(over, &m, 0);
}

int main(int argc, char **argv)
{
    char number[12], byte;
    int s, d, e, n, pair[2], status;

    if (argc > 1) {
        round_trip(argv[1], atoi(argv[2]));
        return 0;
    }
    s = open_bound();
    printf("portid is the pid: %d\n", portid_of(s) == (unsigned)getpid());
    round_trip("first", s);
    round_trip("dup", d = dup(s));
    printf("dup is not close-on-exec: %d\n", fcntl(d, F_GETFD));
    round_trip("F_DUPFD_CLOEXEC", e = fcntl(s, F_DUPFD_CLOEXEC, 20));
    printf("it is close-on-exec: %d, and 20 or more: %d\n", fcntl(e, F_GETFD), e >= 20);
    n = fcntl(s, F_DUPFD, 800);
    printf("F_DUPFD from 800: %d\n", n == 800);
    n = fcntl(s, F_DUPFD, 800);
    printf("F_DUPFD from 800 again: %d\n", n == 801);
    show("F_DUPFD from -1", fcntl(s, F_DUPFD, -1));
    show("F_DUPFD from a million", fcntl(s, F_DUPFD, 1000000));
    close(800);
    close(801);
    printf("O_NONBLOCK is shared: ");
    fcntl(d, F_SETFL, O_NONBLOCK);
    printf("%d ", !!(fcntl(s, F_GETFL) & O_NONBLOCK));
    show("recv", recv(s, number, 1, 0));
    fcntl(s, F_SETFL, 0);

    if (!fork()) {
        close(s);
        close(e);
        round_trip("child", d);
        exit(0);
    }
    wait(0);
    round_trip("parent after child", s);
    if (!fork()) {
        sprintf(number, "%d", d);
        execl("/proc/self/exe", "x", "after fork and exec", number, NULL);
    }
    wait(0);
    if (!vfork()) {
        sprintf(number, "%d", d);
        execl("/proc/self/exe", "x", "after vfork and exec", number, NULL);
        _exit(1);
    }
    wait(0);
    if (!fork()) {
        sprintf(number, "%d", e);
        execl("/proc/self/exe", "x", "after close-on-exec", number, NULL);
    }
    wait(0);

    /* Somebody else gets it by SCM_RIGHTS, and sends by it. */
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (!fork()) {
        char control[CMSG_SPACE(sizeof(int))];
        struct iovec iov = {&byte, 1};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
        close(s), close(d), close(e);
        recvmsg(pair[1], &m, 0);
        memcpy(&n, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof n);
        show("passed on: send", ask(n, 7));
        exit(0);
    }
    n = send_descriptor(pair[0], s);
    wait(0);
    show("pass on", n);
    struct pollfd p = {s, POLLIN, 0};
    show("its answer is in our queue", poll(&p, 1, NET_MS));
    show("take it", read(s, malloc(4096), 4096) > 60);

    /* The portid is free at the last close, not before. */
    close(s);
    close(e);
    s = open_bound();
    printf("portid while a descriptor is left: %s\n",
           portid_of(s) == (unsigned)getpid() ? "the pid" : (int)portid_of(s) < 0 ? "negative" : "?");
    close(s);
    close(d);
    s = open_bound();
    printf("portid after the last close: %s\n", portid_of(s) == (unsigned)getpid() ? "the pid" : "?");
    for (n = 0; n < 300; n++) {
        close(s);
        s = open_bound();
        if (portid_of(s) != (unsigned)getpid())
            break;
    }
    printf("300 times: %d\n", n);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 4194305};
    d = open_socket(SOCK_RAW);
    works("a portid of our own", bind(d, (void *)&a, sizeof a));
    e = open_socket(SOCK_RAW);
    works("the same for another", bind(e, (void *)&a, sizeof a));
    close(d);
    works("after the first is closed", bind(e, (void *)&a, sizeof a));
    if (!fork()) {
        d = open_socket(SOCK_RAW);
        a.nl_pid = 4194306;
        bind(d, (void *)&a, sizeof a);
        kill(getpid(), SIGKILL);
    }
    wait(&status);
    d = open_socket(SOCK_RAW);
    a.nl_pid = 4194306;
    works("after its holder was killed", bind(d, (void *)&a, sizeof a));
    close(s), close(d), close(e);

    /* What has other descriptors' numbers now is left alone. */
    s = open("/dev/null", O_RDWR);
    d = dup2(s, 600);
    show("write to a file with a high number", write(d, "x", 1));
    show("getsockname of it", getsockname(d, (void *)&a, &(socklen_t){12}));
    dup2(pair[0], 601);
    show("write to a stream with a high number", write(601, "xyz", 3));
    n = 0;
    ioctl(pair[1], FIONREAD, &n);
    printf("there are %d bytes\n", n);
    dup2(pair[1], 602);
    n = 0;
    show("FIONREAD at a high number", ioctl(602, FIONREAD, &n));
    printf("there are %d bytes\n", n);
    n = dup(602);
    printf("its dup has a low number: %d\n", n < 100);

    s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
    printf("CLOEXEC %d NONBLOCK %d\n", fcntl(s, F_GETFD), !!(fcntl(s, F_GETFL) & O_NONBLOCK));
    d = open_socket(SOCK_DGRAM);
    printf("CLOEXEC %d NONBLOCK %d\n", fcntl(d, F_GETFD), !!(fcntl(d, F_GETFL) & O_NONBLOCK));
    return 0;
}
