/* What recv, read, readv and recvfrom without an address find: queues, errors, waits. */
#include "client.h"

enum kind { RECV, READ, READV, RECVFROM, KINDS };
static const char *const NAMES[] = {"recv", "read", "readv", "recvfrom"};

static char answer[8192];
static int s;
static enum kind kind;

static long get_into(int fd, void *buffer, size_t size, int flags)
{
    size_t first = size < 20 ? size / 2 : 20;
    struct iovec iov[3] = {{buffer, first}, {0, 0}, {(char *)buffer + first, size - first}};
    switch (kind) {
    case RECV:
        return recv(fd, buffer, size, flags);
    case READ:
        return read(fd, buffer, size);
    case READV:
        return readv(fd, iov, 3);
    default:
        return syscall(SYS_recvfrom, fd, buffer, size, flags, 0, 0);
    }
}

static long get(size_t size, int flags)
{
    memset(answer, 0, sizeof answer);
    return get_into(s, answer, size, flags);
}

static unsigned seq(void)
{
    return ((struct nlmsghdr *)answer)->nlmsg_seq;
}

static void say(const char *what, long n)
{
    const struct nlmsghdr *header = (void *)answer;
    printf("%s, %s: ", NAMES[kind], what);
    if (n < 0)
        printf("%s\n", error_name(errno));
    else if (n > 60)
        printf("answer %u, %s\n", seq(), header->nlmsg_len == n ? "whole" : "not whole");
    else
        printf("%ld bytes, type %d, seq %u\n", n, n >= 16 ? header->nlmsg_type : -1, seq());
    fflush(stdout);
}

static void nonblocking(int on)
{
    fcntl(s, F_SETFL, on ? O_NONBLOCK : 0);
}

static void queues(void)
{
    unsigned i;
    for (i = 1; i <= 5; i++)
        ask(s, i);
    say("first", get(sizeof answer, 0));
    say("cut", get(20, 0));
    say("cut in the first piece", get(10, 0));
    say("none of it", get(0, 0));
    say("then", get(sizeof answer, 0));
    nonblocking(1);
    say("what is left", get(sizeof answer, 0));
    say("nothing", get(sizeof answer, 0));
    nonblocking(0);
    if (kind == RECV || kind == RECVFROM) {
        ask(s, 11);
        ask(s, 12);
        say("peek", get(sizeof answer, MSG_PEEK));
        say("peek, cut", get(20, MSG_PEEK));
        say("peek at the length", get(0, MSG_PEEK | MSG_TRUNC) > 60 ? 1 : 0);
        say("taken", get(sizeof answer, 0));
        say("its length", get(20, MSG_TRUNC) > 60 ? 1 : 0);
        say("nothing left", get(sizeof answer, MSG_DONTWAIT));
        say("of errors", get(sizeof answer, MSG_ERRQUEUE | MSG_DONTWAIT));
        say("out of band", get(sizeof answer, MSG_OOB));
        ask(s, 13);
        say("waiting for all", get(sizeof answer, MSG_WAITALL));
        ask(s, 14);
        say("without a signal", get(sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT));
    }
}

static void errors(void)
{
    char request[64] = {0};
    struct nlmsghdr *header = (void *)request;

    *header = (struct nlmsghdr){20, GENL_ID_CTRL, NLM_F_REQUEST, 21, 0};
    request[16] = 99;
    sendto(s, request, 20, 0, (void *)&KERNEL, sizeof KERNEL);
    say("an error", get(sizeof answer, 0));
    *header = (struct nlmsghdr){16, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 22, 0};
    sendto(s, request, 16, 0, (void *)&KERNEL, sizeof KERNEL);
    say("an ack", get(sizeof answer, 0));
    ask(s, 23);
    ask(s, 24);
    say("into nothing", get_into(s, (void *)8, 100, 0));
    say("which has cost the answer", get(sizeof answer, 0));
}

static void overrun(int size)
{
    int asked, held = 0;
    s = open_bound();
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    ask(s, 1);
    get(sizeof answer, 0);
    for (asked = 0; asked < 300; asked++)
        if (ask(s, asked) != 28)
            break;
    printf("%d asked, ", asked);
    say("overrun", get(sizeof answer, 0));
    say("the first", get(sizeof answer, 0));
    ask(s, 500);
    nonblocking(1);
    while (get(sizeof answer, 0) > 0)
        held++;
    printf("%d more held, ", held);
    say("then", -1);
    ask(s, 501);
    say("again", get(sizeof answer, 0));
    close(s);
}

/* A dump, read to its end after a read of `first` bytes. */
static void dump(size_t first)
{
    char request[20] = {0};
    int messages = 0, wrong = 0, done = 0, pieces = 0;
    *(struct nlmsghdr *)request = (struct nlmsghdr){20, GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_DUMP, 77, 0};
    request[16] = CTRL_CMD_GETFAMILY;
    ask(s, 70);
    get(first, 0);
    sendto(s, request, 20, 0, (void *)&KERNEL, sizeof KERNEL);
    while (!done && pieces++ < 1000) {
        long n = get(sizeof answer, 0);
        struct nlmsghdr *header = (void *)answer;
        if (n <= 0)
            break;
        for (; NLMSG_OK(header, n); header = NLMSG_NEXT(header, n)) {
            wrong += header->nlmsg_seq != 77 || !(header->nlmsg_flags & NLM_F_MULTI);
            messages += header->nlmsg_type == GENL_ID_CTRL;
            done |= header->nlmsg_type == NLMSG_DONE;
        }
        wrong += n != 0;
    }
    printf("%s, dump: %s, %s, %d wrong\n", NAMES[kind], messages > 1 ? "families" : "none",
           done ? "done" : "not done", wrong);
    say("nothing behind it", (nonblocking(1), get(sizeof answer, 0)));
    nonblocking(0);
}

static void count_and_ask(int number)
{
    (void)number;
    if (!signals_seen++)
        ask(s, 88);
}

static void say_waited(const char *what, long n, double since, int ms)
{
    int in_time = took_at_least(since, ms);
    timer_off();
    say(what, n);
    printf("  %d signals, %s\n", signals_seen > 0, in_time ? "in time" : "out of time");
}

static void waits(void)
{
    double since = now_ms();
    alarm_in(50, count_signal, 0);
    say_waited("signal", get(100, 0), since, 50);
    since = now_ms();
    alarm_in(50, count_and_ask, SA_RESTART);
    say_waited("signal, restarted, with an answer", get(sizeof answer, 0), since, 50);
    signals_seen = 0;
    receive_for(s, 60);
    since = now_ms();
    say_waited("time-out", get(sizeof answer, 0), since, 60);
    receive_for(s, NET_MS);
    since = now_ms();
    alarm_in(20, count_signal, SA_RESTART);
    say_waited("signal before the time-out", get(sizeof answer, 0), since, 20);
    ask(s, 31);
    say("an answer before it", get(sizeof answer, 0));
    receive_for(s, 0);
}

static void *get_one(void *at)
{
    enum { LARGE = 4096 };
    static __thread char buffer[LARGE];
    *(unsigned *)at = get_into(s, buffer, LARGE, 0) > 60 ? ((struct nlmsghdr *)buffer)->nlmsg_seq : 0;
    return 0;
}

static void threads(void)
{
    pthread_t thread[3];
    unsigned got[3], i, sum = 0;
    for (i = 0; i < 3; i++)
        pthread_create(&thread[i], 0, get_one, &got[i]);
    usleep(30000);
    for (i = 0; i < 3; i++)
        ask(s, 1 << i);
    for (i = 0; i < 3; i++) {
        pthread_join(thread[i], 0);
        sum += got[i];
    }
    printf("%s, three threads: %u\n", NAMES[kind], sum);
}

/* Reads with and without a name by turns, polls between them. */
static void by_turns(void)
{
    struct sockaddr_nl from;
    socklen_t length;
    unsigned i;
    struct pollfd p = {s, POLLIN, 0};
    for (i = 40; i < 44; i++)
        ask(s, i);
    for (i = 40; i < 44; i++) {
        length = sizeof from;
        printf("%d readable, ", poll(&p, 1, 0));
        if (i & 1)
            say("by turns, named", recvfrom(s, answer, sizeof answer, 0, (void *)&from, &length));
        else
            say("by turns", get(sizeof answer, 0));
    }
    printf("%d readable\n", poll(&p, 1, 0));
}

int main(void)
{
    for (kind = RECV; kind < KINDS; kind++) {
        s = open_bound();
        queues();
        errors();
        dump(sizeof answer);
        dump(32);
        waits();
        threads();
        by_turns();
        close(s);
        overrun(1);
        overrun(32768);
    }
    return 0;
}
