/* Each kind of call once, so that what its supervisor does for it can fail: one line for each.
 * Nothing waits for ever: what has been sent is answered when send() returns. */
#include "client.h"

static char buffer[8192];
static int waits_on, waited_errno;
static volatile pid_t waiters_tid;
static long waited;

static struct msghdr message(char *data, size_t size, struct sockaddr_nl *name, struct iovec *iov)
{
    *iov = (struct iovec){data, size};
    return (struct msghdr){.msg_name = name, .msg_namelen = sizeof *name, .msg_iov = iov, .msg_iovlen = 1};
}

static void *waiter(void *unused)
{
    char byte[64];
    errno = 0;
    waiters_tid = gettid();
    waited = recv(waits_on, byte, sizeof byte, 0);
    waited_errno = errno;
    return unused;
}

static int made(const char *what, int s)
{
    if (works(what, s) < 0)
        exit(1); /* all that follows would say no more */
    return s;
}

static long got(const char *what, long size)
{
    return size < 0 ? show(what, -1) : show(what, size > 60);
}

static void handler(int number) { (void)number; }

int main(void)
{
    struct sockaddr_nl name = KERNEL;
    struct timeval moment = {.tv_usec = 30000};
    struct iovec iov;
    struct msghdr m;
    struct mmsghdr two[2] = {0};
    socklen_t length = sizeof name;
    char request[64];
    int s, other, d, value = 1, size = make_request(request, 1);
    pthread_t thread;

    alarm(NET_MS / 1000); /* a net: nobody answers any more */
    s = made("socket", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
    works("bind", bind(s, (void *)&name, sizeof name));
    show("getsockname", getsockname(s, (void *)&name, &length));
    length = sizeof name;
    show("getpeername", getpeername(s, (void *)&name, &length));
    name = KERNEL;
    show("sendto", sendto(s, request, size, 0, (void *)&name, sizeof name));
    got("recv", recv(s, buffer, sizeof buffer, MSG_DONTWAIT));
    m = message(request, size, &name, &iov);
    show("sendmsg", sendmsg(s, &m, 0));
    m = message(buffer, sizeof buffer, &name, &iov);
    got("recvmsg", recvmsg(s, &m, MSG_DONTWAIT));
    show("write", write(s, request, size));
    fcntl(s, F_SETFL, O_NONBLOCK);
    got("read", read(s, buffer, sizeof buffer));
    fcntl(s, F_SETFL, 0);
    name = KERNEL;
    two[0].msg_hdr = two[1].msg_hdr = message(request, size, &name, &iov);
    show("sendmmsg", sendmmsg(s, two, 2, 0));
    two[0].msg_hdr = two[1].msg_hdr = message(buffer, sizeof buffer, &name, &iov);
    show("recvmmsg", recvmmsg(s, two, 2, MSG_DONTWAIT, NULL));
    show("setsockopt", setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &value, sizeof value));
    length = sizeof value;
    show("getsockopt", getsockopt(s, SOL_SOCKET, SO_RCVBUF, &value, &length));
    show("listen", listen(s, 1));
    show("ioctl", ioctl(s, FIONREAD, &value));
    d = made("dup", dup(s));
    show("write to the dup", write(d, request, size));
    show("poll", poll(&(struct pollfd){s, POLLIN, 0}, 1, NET_MS));
    got("recv from the dup", recv(d, buffer, sizeof buffer, MSG_DONTWAIT));
    d = made("F_DUPFD", fcntl(s, F_DUPFD_CLOEXEC, 0));
    dup2(s, 33);
    show("write past the filter", write(33, request, size));
    show("poll past the filter", poll(&(struct pollfd){33, POLLIN, 0}, 1, NET_MS));
    got("read past the filter", recv(33, buffer, sizeof buffer, MSG_DONTWAIT));
    close(33);

    other = made("another socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
    name = KERNEL;
    name.nl_pid = 77;
    works("bind it to 77", bind(other, (void *)&name, sizeof name));
    waits_on = other;
    pthread_create(&thread, 0, waiter, 0);
    until_it_waits(&waiters_tid);
    show("wake it", sendto(s, request, 20, 0, (void *)&name, sizeof name));
    pthread_join(thread, 0);
    errno = waited_errno;
    show("recv of a thread that waits", waited);
    setsockopt(other, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    show("recv with a time-out", recv(other, buffer, sizeof buffer, 0));
    signal(SIGALRM, handler);
    siginterrupt(SIGALRM, 1);
    waits_on = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC); /* which a signal would end, too */
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = moment, .it_interval = moment}, 0);
    show("recv that a signal ends", recv(waits_on, buffer, sizeof buffer, 0));
    setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
    close(other);
    show("send to who has closed", sendto(s, request, 20, 0, (void *)&name, sizeof name));
    close(d);
    close(s);
    s = made("the last socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
    show("its write", write(s, request, size));
    got("its recv", recv(s, buffer, sizeof buffer, MSG_DONTWAIT));
    return 0;
}
