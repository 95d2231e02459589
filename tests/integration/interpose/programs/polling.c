/* poll, select and epoll on a socket: what is ready when. */
#include "client.h"

static char answer[8192];
static int s;

static void show_poll(const char *what)
{
    struct pollfd p = {s, POLLIN | POLLOUT | POLLPRI, 0};
    int n = poll(&p, 1, 0);
    printf("%s: poll %d, events %#x\n", what, n, p.revents);
}

static void show_events(const char *what, int e, int timeout)
{
    struct epoll_event events[4];
    int n = epoll_wait(e, events, 4, timeout);
    printf("%s: %d", what, n);
    if (n > 0)
        printf(" events %#x", events[0].events);
    printf("\n");
    fflush(stdout);
}

static void *ask_later(void *unused)
{
    usleep(50000);
    ask(s, 9);
    return unused;
}

int main(void)
{
    struct sockaddr_nl a = KERNEL;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    pthread_t thread;
    fd_set set;
    int e;

    s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_GENERIC);
    e = epoll_create1(0);
    /* Go's runtime adds a socket before it is bound. */
    show("epoll_ctl", epoll_ctl(e, EPOLL_CTL_ADD, s, &event));
    show_events("new socket", e, 0);
    show_events("edge is over", e, 0);
    works("bind", bind(s, (void *)&a, sizeof a));
    show_poll("bound");
    show("recv", recv(s, answer, 1, 0));

    ask(s, 1);
    show_poll("answered before send returned");
    show_events("edge of the answer", e, 0);
    show_events("no second edge", e, 0);
    show("peek", recv(s, answer, sizeof answer, MSG_PEEK) > 60);
    show_poll("after a peek");
    show("recv", recv(s, answer, sizeof answer, 0) > 60);
    show_poll("after recv");
    show("recv", recv(s, answer, 1, 0));

    ask(s, 2);
    ask(s, 3);
    show_events("edge of two", e, 0);
    show("first", recv(s, answer, sizeof answer, 0) > 60);
    show_poll("one is left");
    show("second", recv(s, answer, sizeof answer, 0) > 60);
    show_poll("none is left");
    /* Taking datagrams makes room, of which AF_UNIX tells and AF_NETLINK does not: not compared. */

    FD_ZERO(&set);
    FD_SET(s, &set);
    struct timeval t = {0, 0};
    show("select", select(s + 1, &set, 0, 0, &t));
    ask(s, 4);
    FD_SET(s, &set);
    show("select", select(s + 1, &set, 0, 0, &t));
    show("select says it is ours", FD_ISSET(s, &set) != 0);
    recv(s, answer, sizeof answer, 0);

    pthread_create(&thread, 0, ask_later, 0);
    struct pollfd p = {s, POLLIN, 0};
    show("poll waits for another thread's answer", poll(&p, 1, NET_MS));
    show("recv", recv(s, answer, sizeof answer, 0) > 60);
    pthread_join(thread, 0);

    fcntl(s, F_SETFL, 0);
    pthread_create(&thread, 0, ask_later, 0);
    show("recv waits for another thread's answer", recv(s, answer, sizeof answer, 0) > 60);
    pthread_join(thread, 0);
    show_poll("at the end");
    return 0;
}
