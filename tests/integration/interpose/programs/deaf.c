/* A listener that reads at a low number, past the filter: does it hear after an overrun?
 * It has joined a group of its own, to which the others send. */
#include "client.h"

static int drain(int s)
{
    char buffer[65536];
    int n = 0;
    while (recv(s, buffer, sizeof buffer, MSG_DONTWAIT) > 16)
        n++;
    return n;
}

static void send_to(int s, struct sockaddr_nl *name, int count, int *refused)
{
    char message[1024] = {0};
    ((struct nlmsghdr *)message)->nlmsg_len = sizeof message;
    while (count--)
        *refused += sendto(s, message, sizeof message, MSG_DONTWAIT, (void *)name, sizeof *name) < 0;
}

int main(void)
{
    int s = open_bound(), other = open_bound(), round, counts[] = {5, 3000, 5, 5}, size = 65536;
    struct sockaddr_nl name = KERNEL;
    socklen_t length = sizeof name;

    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    getsockname(s, (void *)&name, &length);
    dup2(s, 20);
    for (round = 0; round < 4; round++) {
        int refused = 0, heard;
        send_to(other, &name, counts[round], &refused);
        heard = drain(20);
        printf("%d sent: %s\n", counts[round], heard + refused == counts[round] && heard ? "all heard or refused" : "lost");
        if (counts[round] == 5)
            printf("heard %d\n", heard);
    }
    return 0;
}
