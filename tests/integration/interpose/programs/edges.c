/* Edges of epoll: one for each datagram, one for a loss, none for what is only read. */
#include "client.h"
#include <sys/epoll.h>

static char answer[8192];

static const char *edge(int ep)
{
    struct epoll_event event;

    if (epoll_wait(ep, &event, 1, 0) != 1)
        return "none";
    return event.events & EPOLLIN ? "edge" : "another event";
}

static const char *level(int s)
{
    struct pollfd fd = {s, POLLIN, 0};

    return poll(&fd, 1, 0) == 1 && fd.revents & POLLIN ? "ready" : "silent";
}

static void overruns(const char *what, int clear)
{
    int s = open_socket(SOCK_RAW), ep = epoll_create1(0), size = 1, error = 0, n, reads = 0;
    socklen_t length = sizeof error;
    struct sockaddr_nl a = KERNEL;
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET};

    bind(s, (void *)&a, sizeof a);
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &wanted);
    printf("%s: first %s", what, edge(ep));
    for (n = 0; n < 5; n++) {
        ask(s, n);
        printf(", asked %s", edge(ep));
    }
    if (clear)
        getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &length);
    else
        error = recv(s, answer, sizeof answer, MSG_DONTWAIT) < 0 ? errno : 0;
    printf("\n%s, then %s %s", error_name(error), edge(ep), level(s));
    while (recv(s, answer, sizeof answer, MSG_DONTWAIT) > 0)
        reads++;
    printf(", %s after %d reads, then %s %s", error_name(errno), reads, edge(ep), level(s));
    ask(s, 100);
    printf(", asked %s %s\n", edge(ep), level(s));
    close(ep);
    close(s);
}

int main(void)
{
    overruns("received", 0);
    overruns("cleared by SO_ERROR", 1);
    return 0;
}
