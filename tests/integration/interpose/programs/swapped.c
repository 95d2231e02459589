/* A descriptor that becomes another socket's between two calls, by dup2(2) or by close(2). */
#include "client.h"

/* Whose answer a request on s has: nlmsg_pid. */
static unsigned answered(int s)
{
    struct sockaddr_nl from;
    struct nlmsghdr answer[512];
    struct iovec piece = {answer, sizeof answer};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &piece, .msg_iovlen = 1};

    if (ask(s, 1) < 0 || recvmsg(s, &message, 0) < (int)sizeof *answer)
        return 0;
    return answer->nlmsg_pid;
}

int main(void)
{
    int i, times = 500, which, named = 0, asked = 0, again = 0, closed = 0;
    int s[2] = {open_bound(), open_bound()}, d = dup(s[0]);
    unsigned portid[2] = {portid_of(s[0]), portid_of(s[1])};

    alarm(60); /* an answer that goes elsewhere does not come */
    for (i = 0; i < times; i++) {
        which = i * 7 / 3 & 1;
        dup2(s[which], d);
        named += portid_of(d) == portid[which];
        dup2(s[!which], d);
        asked += answered(d) == portid[!which];
        again += answered(d) == portid[!which];
        close(d);
        closed += portid_of(d) == 0 && errno == EBADF;
        d = dup(s[which]);
    }
    printf("named: %d, asked: %d, again: %d, closed: %d of %d\n", named, asked, again, closed, times);
    return 0;
}
