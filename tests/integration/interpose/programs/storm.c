/* Calls under a timer's signals: nothing is lost, nothing is done twice.
 * argv: period in microseconds, calls, 1 for SA_RESTART */
#include "client.h"


int main(int argc, char **argv)
{
    int period = atoi(argv[1]), calls = atoi(argv[2]), flags = atoi(argv[3]) ? SA_RESTART : 0;
    int s = open_bound(), twice = 0, wrong = 0, i, t, expected;
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};
    struct itimerval timer = {{0, period}, {0, period}};
    char answer[4096];

    (void)argc;
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &timer, 0);
    for (i = 1; i <= calls; i++) {
        while ((t = ask(s, i)) < 0 && errno == EINTR)
            ;
        if (t != 28) {
            perror("send");
            return 1;
        }
        for (;;) {
            struct sockaddr_nl from;
            socklen_t length = sizeof from;
            int n = recvfrom(s, answer, sizeof answer, 0, (void *)&from, &length);
            unsigned seq = ((struct nlmsghdr *)answer)->nlmsg_seq;
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                perror("recvfrom");
                return 1;
            }
            if (seq < (unsigned)i) {
                twice++;
                continue;
            }
            wrong += seq > (unsigned)i;
            break;
        }
    }
    expected = -1;
    for (i = 0; i < 100; i++) {
        while ((t = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)) < 0 && errno == EINTR)
            ;
        if (expected >= 0 && t != expected) /* one was left behind */
            wrong++;
        expected = t;
        close(t);
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, 0);
    printf("twice %d, wrong %d, signals %s\n", twice, wrong, signals_seen ? "came" : "did not come");
    return 0;
}
