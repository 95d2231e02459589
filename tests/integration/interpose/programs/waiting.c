/* Receives that wait: time-outs, signals, stops, kills. */
#include "client.h"

static char answer[4096];
static volatile pid_t waiter;
static int s;

static void count_and_ask(int number)
{
    (void)number;
    if (!signals_seen++)
        ask(s, 77);
}

static long receive_named(int flags)
{
    struct sockaddr_nl from;
    struct iovec iov = {answer, sizeof answer};
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1};
    return recvmsg(s, &m, flags);
}

static const char *in_time(double since, int ms)
{
    static char wrong[40];
    if (took_at_least(since, ms))
        return "in time";
    snprintf(wrong, sizeof wrong, "after %.0f ms", now_ms() - since);
    return wrong;
}

static void report(const char *what, long n, double since, int ms)
{
    printf("%s: %s, %d signals, %s\n", what, n < 0 ? error_name(errno) : n > 60 ? "answer" : "?",
           signals_seen > 0, in_time(since, ms));
    fflush(stdout);
}

static void child(const char *what, int number, int expected_signal)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        receive_named(0);
        _exit(7);
    }
    usleep(100000);
    double since = now_ms();
    kill(pid, number);
    waitpid(pid, &status, 0);
    printf("%s: %s %s\n", what,
           WIFSIGNALED(status) && WTERMSIG(status) == expected_signal ? "ended by it" : "?",
           in_time(since, 0));
    fflush(stdout);
}

static void *wait_in_thread(void *result)
{
    char buffer[100];
    waiter = gettid();
    *(long *)result = recv(s, buffer, sizeof buffer, 0);
    return 0;
}

int main(void)
{
    double since;
    int status;
    sigset_t set;

    s = open_bound();
    since = now_ms();
    alarm_in(100, count_signal, 0);
    report("signal", receive_named(0), since, 100);
    since = now_ms();
    alarm_in(100, count_and_ask, SA_RESTART);
    report("signal, restarted, with an answer", receive_named(0), since, 100);
    since = now_ms();
    alarm_in(100, count_signal, 0);
    report("signal in read", read(s, answer, 100), since, 100);
    since = now_ms();
    alarm_in(100, count_signal, 0);
    report("signal in recvmmsg", recvmmsg(s, (struct mmsghdr[2]){{{0}}}, 2, 0, 0), since, 100);
    timer_off();

    signals_seen = 0;
    receive_for(s, 200);
    since = now_ms();
    report("time-out", receive_named(0), since, 200);
    since = now_ms();
    report("time-out of recv", recv(s, answer, 10, 0), since, 200);
    since = now_ms();
    report("time-out of read", read(s, answer, 10), since, 200);
    receive_for(s, NET_MS);
    since = now_ms();
    alarm_in(100, count_signal, SA_RESTART);
    report("signal before the time-out", receive_named(0), since, 100);
    timer_off();
    receive_for(s, 200);
    since = now_ms();
    report("MSG_DONTWAIT", receive_named(MSG_DONTWAIT), since, 0);
    ask(s, 1);
    since = now_ms();
    report("no wait for what is there", receive_named(0), since, 0);
    since = now_ms();
    ask(s, 2);
    struct mmsghdr m[2] = {{{0}}};
    show("recvmmsg of 2, one comes", recvmmsg(s, m, 2, 0, 0));
    printf("%s\n", in_time(since, 200));
    receive_for(s, 0);

    /* Blocked and ignored signals end nothing. */
    receive_for(s, 300);
    signal(SIGALRM, SIG_IGN);
    timer_in(100);
    signals_seen = 0;
    since = now_ms();
    report("ignored signal", receive_named(0), since, 300);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, 0);
    since = now_ms();
    alarm_in(100, count_signal, 0);
    report("blocked signal", receive_named(0), since, 300);
    sigprocmask(SIG_UNBLOCK, &set, 0);
    printf("then it came: %d\n", signals_seen > 0);
    timer_off();
    receive_for(s, 0);

    child("SIGTERM", SIGTERM, SIGTERM);
    child("SIGKILL", SIGKILL, SIGKILL);
    child("SIGINT", SIGINT, SIGINT);

    pid_t pid = fork();
    if (!pid) {
        int n = receive_named(0);
        printf("after stop and continue: %s\n", n > 60 ? "answer" : error_name(errno));
        fflush(stdout);
        _exit(0);
    }
    usleep(100000);
    kill(pid, SIGSTOP);
    since = now_ms();
    waitpid(pid, &status, WUNTRACED);
    printf("stopped: %d %s\n", WIFSTOPPED(status), in_time(since, 0));
    fflush(stdout);
    kill(pid, SIGCONT);
    usleep(50000);
    ask(s, 3);
    waitpid(pid, &status, 0);

    /* The thread that gets the signal is the one that waits. */
    long result = 0;
    pthread_t thread;
    alarm_in(0, count_signal, 0);
    pthread_create(&thread, 0, wait_in_thread, &result);
    do { /* it may come before the call that it is to end */
        usleep(100000);
        pthread_kill(thread, SIGALRM);
    } while (pthread_tryjoin_np(thread, 0));
    printf("signal to a thread: %ld, %d signals\n", result, signals_seen > 0);

    /* Who closes a descriptor does not wake who waits on it. */
    int d = dup(s);
    int old = s;
    waiter = 0;
    pthread_create(&thread, 0, wait_in_thread, &result);
    until_it_waits(&waiter);
    /* A supervisor lets it sleep before it has looked at its call, and looks at this one later. */
    getsockname(d, (void *)&(struct sockaddr_nl){0}, &(socklen_t){12});
    until_it_waits(&waiter);
    close(old);
    s = d;
    ask(s, 4);
    pthread_join(thread, 0);
    printf("closed by another thread: %s\n", result > 60 ? "answer" : "?");
    fflush(stdout);
    /* Threads that wait do not keep the process. */
    pthread_create(&thread, 0, wait_in_thread, &result);
    usleep(50000);
    return 0;
}
