/* A socket at a low number, where the filter does not look: all calls run on the pair itself. */
#include "client.h"

static int make_dump(char *buffer)
{
    make_request(buffer, 7);
    ((struct nlmsghdr *)buffer)->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ((struct nlmsghdr *)buffer)->nlmsg_len = 20;
    return 20;
}

int main(void)
{
    char buffer[64], answer[8192];
    int s = open_bound(), low = dup2(s, 33), n, type;
    struct sockaddr_nl from;
    socklen_t length = sizeof from;
    struct pollfd p = {low, POLLIN, 0};

    show("low", low);
    show("send", send(low, buffer, make_request(buffer, 1), 0));
    show("poll", poll(&p, 1, NET_MS));
    show("recv", recv(low, answer, sizeof answer, 0) > 60);
    show("recv at the high number", recv(s, answer, sizeof answer, MSG_DONTWAIT));

    show("sendto", sendto(low, buffer, make_request(buffer, 2), 0, (void *)&KERNEL, sizeof KERNEL));
    memset(&from, 0x55, sizeof from);
    show("recvfrom", recvfrom(low, answer, sizeof answer, 0, (void *)&from, &length) > 60);
    printf("length %d, pid %u, groups %u\n", length, from.nl_pid, from.nl_groups);

    show("write", write(low, buffer, make_request(buffer, 3)));
    show("poll the high number", poll(&(struct pollfd){s, POLLIN, 0}, 1, NET_MS));
    show("read at the high number", read(s, answer, sizeof answer) > 60);
    show("nothing is left below", recv(low, answer, sizeof answer, MSG_DONTWAIT));

    /* Some taken here, some there. */
    for (n = 10; n < 16; n++)
        ask(s, n);
    printf("taken");
    for (n = 10; n < 16; n++) {
        recv(n % 2 ? low : s, answer, sizeof answer, MSG_DONTWAIT);
        printf(" %u", ((struct nlmsghdr *)answer)->nlmsg_seq);
    }
    printf("\n");

    /* A dump goes on when its first part is read. */
    show("dump", send(low, buffer, make_dump(buffer), 0));
    for (n = 0, type = 0; type != NLMSG_DONE && n < 10; n++) {
        long size = recv(low, answer, sizeof answer, 0), at;
        for (at = 0; at + 16 <= size; at += NLMSG_ALIGN(((struct nlmsghdr *)(answer + at))->nlmsg_len))
            type = ((struct nlmsghdr *)(answer + at))->nlmsg_type;
    }
    printf("dump ended: %d\n", type == NLMSG_DONE);

    /* The buffer of a reader that we do not see never overruns. */
    for (n = 0; n < 1000; n++) {
        ask(s, n);
        if (recv(low, answer, sizeof answer, MSG_DONTWAIT) < 60)
            break;
    }
    show("asked above, read below", n);
    return 0;
}
