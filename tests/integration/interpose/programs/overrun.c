/* More answers than the receive buffer holds: ENOBUFS once, the queue, nothing until it is empty. */
#include "client.h"

static char answer[8192];

static int drain(int s)
{
    int n = 0;
    while (recv(s, answer, sizeof answer, MSG_DONTWAIT) > 0)
        n++;
    return n;
}

static void overrun(const char *what, int type, int size, int option)
{
    int s = open_socket(type), on = 1, n, held;
    struct sockaddr_nl a = KERNEL;

    bind(s, (void *)&a, sizeof a);
    if (size)
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (option)
        setsockopt(s, SOL_NETLINK, option, &on, sizeof on);
    for (n = 0; n < 2000; n++)
        if (ask(s, n) != 28)
            break;
    printf("%s: %d asked", what, n);
    printf(", then %s", recv(s, answer, 1, MSG_DONTWAIT | MSG_PEEK) < 0 ? error_name(errno) : "data");
    held = recv(s, answer, sizeof answer, 0) > 60;
    ask(s, 5000);
    ask(s, 5001);
    held += drain(s);
    printf(", then %d held", held);
    ask(s, 6000);
    n = recv(s, answer, sizeof answer, MSG_DONTWAIT);
    printf(", then %s", n > 60 ? "answers again" : error_name(errno));
    printf(" %u\n", ((struct nlmsghdr *)answer)->nlmsg_seq);
    close(s);
}

int main(void)
{
    overrun("default buffer", SOCK_RAW, 0, 0);
    overrun("smallest buffer", SOCK_RAW, 1, 0);
    overrun("buffer of 32768", SOCK_DGRAM, 32768, 0);
    overrun("without ENOBUFS", SOCK_RAW, 32768, NETLINK_NO_ENOBUFS);
    return 0;
}
