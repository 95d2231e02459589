/* What the test programs share. A program prints one line for each thing it tries, so that the
 * lines of an emulated and of a real kernel can be compared; nothing in them is from one run. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#define REQUEST_SIZE 24

static const struct sockaddr_nl KERNEL = {.nl_family = AF_NETLINK};

static inline const char *error_name(int number)
{
    const char *name = strerrorname_np(number);
    static char unknown[16];
    if (name)
        return name;
    snprintf(unknown, sizeof unknown, "%d", number);
    return unknown;
}

/* "what: 12" or "what: EINVAL" */
static inline long show(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %ld\n", what, result);
    fflush(stdout);
    return result;
}

/* The result alone would differ from run to run: "ok" or the error. */
static inline long works(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? error_name(errno) : "ok");
    fflush(stdout);
    return result;
}

static inline double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* How long is waited for what must come, in ms: a net against hangs, on the busiest machine. */
enum { NET_MS = 250000 };

/* SIGALRM in so many ms, and again each second, lest it come before the call that it is to end. */
static inline void timer_in(int ms)
{
    struct itimerval t = {{1, 0}, {0, ms * 1000}};
    setitimer(ITIMER_REAL, &t, 0);
}

static inline void timer_off(void)
{
    struct itimerval t = {0};
    setitimer(ITIMER_REAL, &t, 0);
}

/* How many signals count_signal() has seen. */
static volatile int signals_seen;

static inline void count_signal(int number)
{
    (void)number;
    signals_seen++;
}

/* SIGALRM as of timer_in(), with this handler; the count begins anew. */
static inline void alarm_in(int ms, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGALRM, &action, 0);
    signals_seen = 0;
    timer_in(ms);
}

/* How long a receive waits at most; 0 is for ever. */
static inline void receive_for(int s, int ms)
{
    struct timeval t = {ms / 1000, ms % 1000 * 1000};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* Whether a call that began at `since` took as long as it had to; a busy machine adds to that. */
static inline int took_at_least(double since, int ms)
{
    double took = now_ms() - since;
    return took > ms - 8 && took < ms + NET_MS;
}

/* Wait until a thread that sets *tid just before its call is in that call, or has ended. */
static inline void until_it_waits(volatile pid_t *tid)
{
    char name[64], text[512], *state;
    FILE *file;
    while (!*tid)
        usleep(1000);
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", *tid);
    for (;;) {
        memset(text, 0, sizeof text);
        file = fopen(name, "r");
        if (!file)
            return;
        fread(text, 1, sizeof text - 1, file);
        fclose(file);
        state = strrchr(text, ')');
        if (!state || state[2] != 'R')
            return;
        usleep(1000);
    }
}

/* Ask nlctrl about itself: CTRL_CMD_GETFAMILY with CTRL_ATTR_FAMILY_ID 16. */
static inline int make_request(char *buffer, unsigned seq)
{
    struct nlmsghdr *header = (void *)buffer;
    memset(buffer, 0, 28);
    header->nlmsg_len = 28;
    header->nlmsg_type = GENL_ID_CTRL;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = seq;
    buffer[16] = CTRL_CMD_GETFAMILY;
    buffer[17] = 1;
    *(unsigned short *)(buffer + 20) = 6;
    *(unsigned short *)(buffer + 22) = CTRL_ATTR_FAMILY_ID;
    *(unsigned short *)(buffer + 24) = GENL_ID_CTRL;
    return 28;
}

static inline int open_socket(int type)
{
    int s = socket(AF_NETLINK, type, NETLINK_GENERIC);
    if (s < 0) {
        perror("socket");
        exit(1);
    }
    return s;
}

static inline int open_bound(void)
{
    struct sockaddr_nl a = KERNEL;
    int s = open_socket(SOCK_RAW);
    if (bind(s, (void *)&a, sizeof a) < 0) {
        perror("bind");
        exit(1);
    }
    return s;
}

static inline long ask(int s, unsigned seq)
{
    char request[64];
    return sendto(s, request, make_request(request, seq), 0, (void *)&KERNEL, sizeof KERNEL);
}

static inline unsigned portid_of(int s)
{
    struct sockaddr_nl a = {0};
    socklen_t length = sizeof a;
    getsockname(s, (void *)&a, &length);
    return a.nl_pid;
}
