/* Many threads, each with its socket. argv: threads, questions of each, threads that wait beside */
#include "client.h"

static int questions, bad;

static void *converse(void *unused)
{
    int s = open_bound(), i;
    char answer[4096];
    for (i = 1; i <= questions; i++) {
        struct sockaddr_nl from;
        socklen_t length = sizeof from;
        if (ask(s, i) != 28 ||
            recvfrom(s, answer, sizeof answer, 0, (void *)&from, &length) < 60 ||
            ((struct nlmsghdr *)answer)->nlmsg_seq != (unsigned)i ||
            ((struct nlmsghdr *)answer)->nlmsg_pid != portid_of(s) || from.nl_pid || length != 12)
            __sync_fetch_and_add(&bad, 1);
    }
    close(s);
    return unused;
}

static void *wait_for_ever(void *unused)
{
    char answer[100];
    recv(open_bound(), answer, sizeof answer, 0);
    __sync_fetch_and_add(&bad, 1000);
    return unused;
}

int main(int argc, char **argv)
{
    int n = atoi(argv[1]), waiters = atoi(argv[3]), i;
    pthread_t thread[n], waiter;

    (void)argc;
    questions = atoi(argv[2]);
    for (i = 0; i < waiters; i++)
        pthread_create(&waiter, 0, wait_for_ever, 0);
    for (i = 0; i < n; i++)
        pthread_create(thread + i, 0, converse, 0);
    for (i = 0; i < n; i++)
        pthread_join(thread[i], 0);
    printf("bad %d\n", bad);
    return 0;
}
