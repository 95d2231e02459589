/* A process that others may not look into. */
#include "client.h"
#include <sys/prctl.h>

#if defined(__x86_64__)
/* By i386, whose arguments of socket() are in memory that nobody may see. */
static int socketcall(void)
{
    int *args = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long result;
    args[0] = AF_NETLINK, args[1] = SOCK_RAW, args[2] = NETLINK_GENERIC;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"(args) : "memory");
    errno = -(int)result;
    return (int)result < 0 ? -1 : (int)result;
}
#endif

int main(int argc, char **argv)
{
    char answer[4096], request[64];
    int s, other, file;

    prctl(PR_SET_DUMPABLE, 0);
    (void)argv;
#if defined(__x86_64__)
    if (argc > 1)
        return works("socketcall", socketcall()) < 0;
#endif
    s = open_socket(SOCK_RAW);
    other = open_socket(SOCK_RAW);
    printf("two sockets: %d\n", s != other);
    works("bind", bind(s, (void *)&KERNEL, sizeof KERNEL));
    show("send", send(s, request, make_request(request, 1), 0));
    show("recv", recv(s, answer, sizeof answer, 0) > 60);
    show("sendto", sendto(other, request, make_request(request, 1), 0, (void *)&KERNEL, sizeof KERNEL));
    show("poll", poll(&(struct pollfd){other, POLLIN, 0}, 1, 5000));
    show("read", read(other, answer, sizeof answer) > 60);
    file = dup2(open("/dev/null", O_WRONLY), 700);
    show("write elsewhere", write(file, "x", 1));
    return 0;
}
