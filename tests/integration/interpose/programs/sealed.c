/* A process that others may not look into. */
#include "client.h"
#include <sys/prctl.h>

int main(void)
{
    char answer[4096], request[64];
    int s, other, file;

    prctl(PR_SET_DUMPABLE, 0);
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
