/* Datagrams from socket to socket: where there is no room, the sender waits. */
#include "client.h"

static int receiver, sender;
static struct sockaddr_nl to = {.nl_family = AF_NETLINK};
static char data[1000], answer[4096];

static long send_one(int flags)
{
    return sendto(sender, data, sizeof data, flags, (void *)&to, sizeof to);
}

static int fill(void)
{
    int n = 0;
    while (send_one(MSG_DONTWAIT) > 0)
        n++;
    return n;
}

static int drain(void)
{
    int n = 0;
    while (recv(receiver, answer, sizeof answer, MSG_DONTWAIT) > 0)
        n++;
    return n;
}

static void *drain_later(void *unused)
{
    usleep(100000);
    drain(); /* of how many depends on when the sender wakes */
    return unused;
}

static void *close_later(void *unused)
{
    usleep(100000);
    close(receiver);
    return unused;
}

static const char *in_time(double since, int ms)
{
    return took_at_least(since, ms) ? "in time" : "not in time";
}

int main(void)
{
    int size = 10000;
    pthread_t thread;
    struct timeval t = {0, 200000};
    struct sigaction action = {.sa_handler = count_signal};
    double since;
    long n;

    receiver = open_socket(SOCK_RAW);
    to.nl_pid = 4194310;
    bind(receiver, (void *)&to, sizeof to);
    setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    sender = open_bound();

    printf("%d have room, ", fill());
    printf("then %s\n", error_name(errno));
    show("the receiver has no error", recv(receiver, answer, sizeof answer, MSG_PEEK));
    printf("drained %d\n", drain());
    printf("%d have room\n", fill());
    since = now_ms();
    pthread_create(&thread, 0, drain_later, 0);
    n = send_one(0);
    pthread_join(thread, 0);
    printf("waiting for room: %ld, %s\n", n, in_time(since, 100));
    drain();

    fill();
    setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    since = now_ms();
    n = send_one(0);
    printf("SO_SNDTIMEO: %s, %s\n", n < 0 ? error_name(errno) : "?", in_time(since, 200));
    t.tv_usec = 0;
    setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);

    sigaction(SIGALRM, &action, 0);
    since = now_ms();
    timer_in(100);
    n = send_one(0);
    printf("a signal: %s, %d, %s\n", n < 0 ? error_name(errno) : "?", signals_seen > 0, in_time(since, 100));
    timer_off();

    struct mmsghdr many[3];
    struct iovec iov = {data, sizeof data};
    memset(many, 0, sizeof many);
    for (n = 0; n < 3; n++) {
        many[n].msg_hdr.msg_name = &to;
        many[n].msg_hdr.msg_namelen = sizeof to;
        many[n].msg_hdr.msg_iov = &iov;
        many[n].msg_hdr.msg_iovlen = 1;
    }
    show("sendmmsg, MSG_DONTWAIT", sendmmsg(sender, many, 3, MSG_DONTWAIT));
    since = now_ms();
    pthread_create(&thread, 0, drain_later, 0);
    n = sendmmsg(sender, many, 3, 0);
    pthread_join(thread, 0);
    printf("sendmmsg waits for room: %ld, %s\n", n, in_time(since, 100));
    drain();
    fill();
    recv(receiver, answer, sizeof answer, 0);
    show("sendmmsg, room for some", sendmmsg(sender, many, 3, MSG_DONTWAIT) > 0);
    t.tv_usec = 200000;
    setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    drain();
    n = fill();
    drain();
    while (n-- > 1)
        send_one(MSG_DONTWAIT);
    since = now_ms();
    n = sendmmsg(sender, many, 3, 0);
    printf("sendmmsg, time-out after %ld, %s\n", n, in_time(since, 200));
    since = now_ms();
    n = sendmmsg(sender, many, 3, 0);
    printf("sendmmsg, time-out: %s, %s\n", n < 0 ? error_name(errno) : "?", in_time(since, 200));
    t.tv_usec = 0;
    setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);

    since = now_ms();
    pthread_create(&thread, 0, close_later, 0);
    n = send_one(0);
    pthread_join(thread, 0);
    printf("the receiver closes: %s, %s\n", n < 0 ? error_name(errno) : "?", in_time(since, 100));
    show("and is gone", send_one(0));

    /* connect() chooses who is heard. */
    int other = open_socket(SOCK_RAW);
    receiver = open_socket(SOCK_RAW);
    bind(receiver, (void *)&to, sizeof to);
    struct sockaddr_nl peer = {AF_NETLINK, 0, portid_of(sender), 0};
    works("connect", connect(receiver, (void *)&peer, sizeof peer));
    struct sockaddr_nl name;
    socklen_t length = sizeof name;
    works("getpeername", getpeername(receiver, (void *)&name, &length));
    printf("the peer is %s\n", name.nl_pid == peer.nl_pid ? "right" : "wrong");
    show("the peer is heard", send_one(0));
    show("others are not", sendto(other, data, 10, 0, (void *)&to, sizeof to));
    show("send without address", send(receiver, data, 20, 0));
    show("the peer has it", recv(sender, answer, sizeof answer, MSG_DONTWAIT));
    return 0;
}
