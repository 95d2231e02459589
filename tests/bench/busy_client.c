/* A client as heavy ones are: asks nlctrl by threads, or keeps many sockets. Prints the seconds
 * that this took after a first request.
 *
 *     busy_client ask THREADS SOCKETS REQUESTS    each thread asks so often
 *     busy_client keep SOCKETS                    in processes of MOST_EACH, one after the other
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, MOST_EACH = 4000 };
static const struct sockaddr_nl KERNEL = {.nl_family = AF_NETLINK};
static int sockets[MOST], of_thread[MOST], requests;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int open_bound(void)
{
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    if (s < 0 || bind(s, (void *)&KERNEL, sizeof KERNEL) < 0) {
        perror("socket");
        exit(1);
    }
    return s;
}

static void *ask(void *at)
{
    int s = *(int *)at, i;
    char answer[4096];
    struct {
        struct nlmsghdr header;
        struct genlmsghdr genl;
        unsigned short length, type, id, pad;
    } request = {{28, GENL_ID_CTRL, NLM_F_REQUEST, 0, 0}, {CTRL_CMD_GETFAMILY, 1, 0}, 6,
                 CTRL_ATTR_FAMILY_ID, GENL_ID_CTRL, 0};
    for (i = 0; i < requests; i++) {
        struct sockaddr_nl from;
        socklen_t length = sizeof from;
        if (sendto(s, &request, 28, 0, (void *)&KERNEL, sizeof KERNEL) != 28 ||
            recvfrom(s, answer, sizeof answer, 0, (void *)&from, &length) < 60) {
            perror("ask");
            exit(1);
        }
    }
    return 0;
}

static void ask_by_threads(int threads, int count)
{
    pthread_t thread[MOST];
    int i;
    for (i = 0; i < count; i++)
        sockets[i] = open_bound();
    for (i = 0; i < threads; i++) {
        of_thread[i] = sockets[i % count];
        pthread_create(&thread[i], 0, ask, &of_thread[i]);
    }
    for (i = 0; i < threads; i++)
        pthread_join(thread[i], 0);
}

static void keep(int count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int ended[2], done[2]; /* until we end, each child keeps its sockets */
    char told;
    if (pipe(ended) < 0)
        exit(1);
    for (; count > 0; count -= MOST_EACH) {
        if (pipe(done) < 0)
            exit(1);
        if (fork() == 0) {
            int left = count < MOST_EACH ? count : MOST_EACH;
            close(ended[1]);
            while (left--)
                open_bound();
            if (write(done[1], "", 1) == 1)
                read(ended[0], &told, 1);
            _exit(0);
        }
        close(done[1]);
        if (read(done[0], &told, 1) != 1)
            exit(1);
    }
}

int main(int argc, char **argv)
{
    double start;
    of_thread[0] = open_bound();
    requests = 1;
    ask(of_thread); /* so that a supervisor has started, too */
    start = now();
    if (argc == 5 && !strcmp(argv[1], "ask") && atoi(argv[2]) <= MOST) {
        requests = atoi(argv[4]);
        ask_by_threads(atoi(argv[2]), atoi(argv[3]));
    } else if (argc == 3 && !strcmp(argv[1], "keep")) {
        keep(atoi(argv[2]));
    } else {
        return 2;
    }
    printf("%.6f\n", now() - start);
    return 0;
}
