/* Calls that few clients make on a socket: of files and pipes, signals for input, dup2. */
#include "client.h"
#include <sys/sendfile.h>
#include <sys/stat.h>

static char answer[8192];
static volatile int hits, of;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    hits++;
    of = info->si_fd;
}

static void drain(int s)
{
    while (recv(s, answer, sizeof answer, MSG_DONTWAIT) >= 0)
        ;
}

/* What is sent past the filter is answered soon, not at once. */
static const char *is_answered(int s)
{
    struct pollfd p = {s, POLLIN, 0};
    if (poll(&p, 1, NET_MS) != 1)
        return "nothing";
    return recv(s, answer, sizeof answer, MSG_DONTWAIT) > 60 ? "an answer" : error_name(errno);
}

static void like_a_file(int s)
{
    struct stat status;
    char request[64];
    struct iovec iov = {answer, sizeof answer};
    show("fstat", fstat(s, &status));
    printf("mode %o, size %ld\n", status.st_mode & S_IFMT, (long)status.st_size);
    show("lseek", lseek(s, 0, SEEK_CUR));
    show("pread", pread(s, answer, 10, 0));
    show("pwrite", pwrite(s, answer, 10, 0));
    show("preadv", preadv(s, &iov, 1, 0));
    show("fsync", fsync(s));
    show("ftruncate", ftruncate(s, 0));
    show("fallocate", fallocate(s, 0, 0, 1));
    show("mmap", mmap(0, 4096, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED ? -1 : 0);
    ask(s, 1);
    show("preadv2 at no offset", preadv2(s, &iov, 1, -1, 0) > 60);
    show("nothing is left", recv(s, answer, 1, MSG_DONTWAIT));
    iov = (struct iovec){request, make_request(request, 2)};
    show("pwritev2 at no offset", pwritev2(s, &iov, 1, -1, 0));
    printf("then there is %s\n", is_answered(s));
}

static void through_pipes(int s)
{
    int pipes[2], file = memfd_create("request", 0);
    char request[64];
    int length = make_request(request, 3);
    off_t at = 0;
    pipe(pipes);
    write(file, request, length);
    show("sendfile", sendfile(s, file, &at, length));
    printf("then there is %s\n", is_answered(s));
    write(pipes[1], request, length);
    show("splice from a pipe", splice(pipes[0], 0, s, 0, length, 0));
    printf("then there is %s\n", is_answered(s));
    ask(s, 4);
    works("splice to a pipe", splice(s, 0, pipes[1], 0, 4096, SPLICE_F_NONBLOCK));
    works("sendfile from it", sendfile(file, s, 0, 100));
    drain(s);
    close(pipes[0]), close(pipes[1]), close(file);
}

static void signals(int s)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    int value = 1;
    double since;
    sigaction(SIGRTMIN, &action, 0);
    works("F_SETOWN", fcntl(s, F_SETOWN, getpid()));
    printf("F_GETOWN: %s\n", fcntl(s, F_GETOWN) == getpid() ? "me" : "?");
    works("F_SETSIG", fcntl(s, F_SETSIG, SIGRTMIN));
    works("FIOASYNC", ioctl(s, FIOASYNC, &value));
    printf("O_ASYNC: %d\n", !!(fcntl(s, F_GETFL) & O_ASYNC));
    hits = 0;
    ask(s, 5);
    for (since = now_ms(); !hits && now_ms() < since + NET_MS;)
        usleep(1000);
    printf("a signal for input: %d, of %s\n", hits > 0, of == s ? "it" : "another");
    works("F_SETFL", fcntl(s, F_SETFL, O_NONBLOCK));
    drain(s);
    show("FIONBIO is O_NONBLOCK: recv", recv(s, answer, 1, 0));
    value = 0;
    works("FIONBIO", ioctl(s, FIONBIO, &value));
    printf("flags %#x\n", fcntl(s, F_GETFL));
    show("ioctl(SIOCGSTAMP)", ioctl(s, SIOCGSTAMP, answer));
    show("ioctl(TCGETS)", ioctl(s, 0x5401, answer));
    show("ioctl(FIOQSIZE)", ioctl(s, 0x5460, answer));
}

static void copies(int s)
{
    int other = open_bound(), file = open("/dev/null", O_RDWR), number;
    unsigned portid = portid_of(other);
    ask(other, 6);
    /* Onto another netlink socket, which is closed by that. */
    number = dup2(s, other);
    printf("dup2 onto another: %s\n", number == other ? "its number" : "?");
    printf("it is the first now: %d\n", portid_of(other) == portid_of(s));
    show("the other's answer is gone", recv(other, answer, 1, MSG_DONTWAIT));
    ask(other, 7);
    show("the first's answer", recv(s, answer, sizeof answer, 0) > 60);
    number = open_socket(SOCK_RAW);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = portid};
    works("the other's portid is free", bind(number, (void *)&a, sizeof a));
    printf("dup3: %s\n", dup3(s, number, O_CLOEXEC) == number ? "its number" : "?");
    printf("close-on-exec: %d\n", fcntl(number, F_GETFD));
    /* A file onto the socket's number. */
    printf("a file onto it: %s\n", dup2(file, number) == number ? "its number" : "?");
    show("write to it", write(number, "x", 1));
    show("recv from it", recv(number, answer, 1, 0));
    close(number);
    printf("the first is alive: %d\n", portid_of(s) == (unsigned)getpid());
    printf("close_range: %ld\n", syscall(SYS_close_range, other, other, 0));
    show("send after it", ask(other, 8));
    show("the first sends", ask(s, 9));
    show("and has an answer", recv(s, answer, sizeof answer, 0) > 60);
    close(file);
}

int main(void)
{
    int s = open_bound();
    like_a_file(s);
    through_pipes(s);
    copies(s);
    signals(s);
    return 0;
}
