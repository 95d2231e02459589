/* Many threads, each with its socket. argv: threads, questions of each, threads that wait beside,
 * and, if given, the period in us of a signal that restarts what it interrupts. */
#include "client.h"

static int questions, bad, waiting;

static int open_descriptors(void)
{
    int fd, n = 0;
    for (fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

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
    int s = open_bound();
    __sync_fetch_and_add(&waiting, 1);
    recv(s, answer, sizeof answer, 0);
    __sync_fetch_and_add(&bad, 1000);
    return unused;
}

int main(int argc, char **argv)
{
    int n = atoi(argv[1]), waiters = atoi(argv[3]), i;
    int period = argc > 4 ? atoi(argv[4]) : 0, before = open_descriptors();
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, period}, {0, period}};
    pthread_t thread[n], waiter;

    questions = atoi(argv[2]);
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &timer, 0);
    for (i = 0; i < waiters; i++)
        pthread_create(&waiter, 0, wait_for_ever, 0);
    for (i = 0; i < n; i++)
        pthread_create(thread + i, 0, converse, 0);
    for (i = 0; i < n; i++)
        pthread_join(thread[i], 0);
    while (__sync_fetch_and_add(&waiting, 0) < waiters)
        usleep(1000);
    timer = (struct itimerval){0};
    setitimer(ITIMER_REAL, &timer, 0);
    if (open_descriptors() != before + waiters)
        bad += 1000000;
    if (period && signals_seen < 10)
        bad += 10000000;
    printf("bad %d\n", bad);
    return 0;
}
