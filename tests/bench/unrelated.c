/* What pair_client.py's "unix" does, without Python's own time, which would hide the filter's:
 * sendmsg and recvmsg on a socket pair. Reads how many, prints how long each pair took in us, of
 * this thread's CPU time, so that who runs beside does not count. The median of slices of 200. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define SLICE 200

static int ends[2];
static char data[28], room[8192];

static void pair(void)
{
    struct iovec out = {data, sizeof data}, in = {room, sizeof room};
    struct msghdr sent = {.msg_iov = &out, .msg_iovlen = 1};
    struct msghdr received = {.msg_iov = &in, .msg_iovlen = 1};
    sendmsg(ends[0], &sent, 0);
    recvmsg(ends[1], &received, 0);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(double *)a, y = *(double *)b;
    return (x > y) - (x < y);
}

static double median(int slices)
{
    double *took = malloc(slices * sizeof *took), middle;
    for (int i = 0; i < slices; i++) {
        double begun = now_us();
        for (int n = 0; n < SLICE; n++)
            pair();
        took[i] = (now_us() - begun) / SLICE;
    }
    qsort(took, slices, sizeof *took, compare);
    middle = took[slices / 2];
    free(took);
    return middle;
}

int main(void)
{
    int count;
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
        return 1;
    while (scanf("%d", &count) == 1) {
        printf("%f\n", median(count / SLICE + 1));
        fflush(stdout);
    }
    return 0;
}
