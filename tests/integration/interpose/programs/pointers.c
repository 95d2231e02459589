/* Bad pointers, bad lengths, bad descriptors: the errno of each call. */
#include "client.h"

static char request[64], answer[4096];
static struct sockaddr_nl name;

int main(void)
{
    int s = open_bound();
    int length = make_request(request, 1);
    char *bad = (char *)16;
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *edge = pages + 4096; /* what follows is not there */
    socklen_t room;

    munmap(edge, 4096);

    show("bind(NULL, 12)", bind(s, 0, 12));
    show("bind(bad, 12)", bind(s, (void *)bad, 12));
    show("bind(edge, 12)", bind(s, (void *)(edge - 8), 12));
    show("bind(length 11)", bind(s, (void *)&KERNEL, 11));
    show("bind(length 0)", bind(s, (void *)&KERNEL, 0));
    show("bind(length -1)", bind(s, (void *)&KERNEL, -1));
    show("bind(length 129)", bind(s, (void *)answer, 129));
    show("bind(family 2)", bind(s, (void *)&(struct sockaddr_nl){.nl_family = 2}, 12));
    show("bind(again)", bind(s, (void *)&(struct sockaddr_nl){16, 0, getpid(), 0}, 12));
    show("bind(another)", bind(s, (void *)&(struct sockaddr_nl){16, 0, 7, 0}, 12));
    show("bind(longer)", bind(s, (void *)(struct sockaddr_nl[2]){{16, 0, getpid(), 0}}, 24));

    show("connect(NULL, 12)", connect(s, 0, 12));
    show("connect(length 1)", connect(s, (void *)&KERNEL, 1));
    show("connect(length 11)", connect(s, (void *)&KERNEL, 11));
    show("connect(length 129)", connect(s, (void *)answer, 129));
    show("connect(family 2)", connect(s, (void *)&(struct sockaddr_nl){.nl_family = 2}, 12));
    show("connect(kernel)", connect(s, (void *)&KERNEL, 12));
    show("connect(AF_UNSPEC)", connect(s, (void *)&(struct sockaddr_nl){.nl_family = 0}, 12));

    room = 12;
    show("getsockname(NULL)", getsockname(s, 0, &room));
    show("getsockname(length NULL)", getsockname(s, (void *)&name, 0));
    room = -1;
    show("getsockname(room -1)", getsockname(s, (void *)&name, &room));
    for (room = 0; room <= 14; room += 7) {
        socklen_t told = room;
        memset(answer, 0x55, 16);
        printf("room %d: ", room);
        show("getsockname", getsockname(s, (void *)answer, &told));
        printf("  length %d, bytes %d\n", told, (int)strcspn(answer, "U") ? answer[0] : -1);
    }
    room = 12;
    show("getpeername(NULL)", getpeername(s, 0, &room));

    show("sendto(NULL, 28)", sendto(s, 0, 28, 0, (void *)&KERNEL, 12));
    show("sendto(bad, 28)", sendto(s, bad, 28, 0, (void *)&KERNEL, 12));
    show("sendto(edge)", sendto(s, edge - 20, 28, 0, (void *)&KERNEL, 12));
    show("sendto(kernel address)", sendto(s, (void *)-4096L, 28, 0, (void *)&KERNEL, 12));
    show("sendto(no bytes)", sendto(s, request, 0, 0, (void *)&KERNEL, 12));
    show("sendto(NULL, no bytes)", sendto(s, 0, 0, 0, (void *)&KERNEL, 12));
    show("sendto(address bad)", sendto(s, request, length, 0, (void *)bad, 12));
    show("sendto(address 11)", sendto(s, request, length, 0, (void *)&KERNEL, 11));
    show("sendto(address 0)", sendto(s, request, length, 0, (void *)&KERNEL, 0));
    show("recv", recv(s, answer, sizeof answer, 0) > 0);
    show("sendto(address -1)", sendto(s, request, length, 0, (void *)&KERNEL, -1));
    show("sendto(address 129)", sendto(s, request, length, 0, (void *)answer, 129));
    show("sendto(family 2)",
         sendto(s, request, length, 0, (void *)&(struct sockaddr_nl){.nl_family = 2}, 12));
    show("sendto(nobody)",
         sendto(s, request, length, 0, (void *)&(struct sockaddr_nl){16, 0, 999999, 0}, 12));
    show("sendto(MSG_OOB)", sendto(s, request, length, MSG_OOB, (void *)&KERNEL, 12));
    show("sendto(too long)", sendto(s, malloc(1 << 22), 1 << 22, 0, (void *)&KERNEL, 12));
    show("write(bad)", write(s, bad, 28));
    show("write(no bytes)", write(s, request, 0));
    show("writev(bad vector)", writev(s, (void *)bad, 2));
    show("writev(negative)", writev(s, &(struct iovec){request, -1}, 1));
    show("writev(-1 pieces)", writev(s, &(struct iovec){request, 1}, -1));
    show("writev(1025 pieces)", writev(s, calloc(1025, sizeof(struct iovec)), 1025));

    struct iovec iov = {request, length};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    show("sendmsg(NULL)", syscall(SYS_sendmsg, s, 0, 0));
    show("sendmsg(bad)", sendmsg(s, (void *)bad, 0));
    m.msg_iovlen = 1025;
    show("sendmsg(1025 pieces)", sendmsg(s, &m, 0));
    m.msg_iovlen = 1;
    m.msg_iov = (void *)bad;
    show("sendmsg(bad vector)", sendmsg(s, &m, 0));
    m.msg_iov = &iov;
    m.msg_name = bad;
    m.msg_namelen = 12;
    show("sendmsg(bad name)", sendmsg(s, &m, 0));
    m.msg_name = &name;
    m.msg_namelen = -1;
    show("sendmsg(namelen -1)", sendmsg(s, &m, 0));
    m.msg_name = (void *)&KERNEL;
    m.msg_namelen = 11;
    show("sendmsg(namelen 11)", sendmsg(s, &m, 0));
    m.msg_name = 0;
    m.msg_namelen = 0;
    m.msg_control = bad;
    m.msg_controllen = 24;
    show("sendmsg(bad control)", sendmsg(s, &m, 0));
    m.msg_control = answer;
    memset(answer, 0, 24);
    show("sendmsg(control of length 0)", sendmsg(s, &m, 0));
    *(size_t *)answer = 17;
    show("sendmsg(control of another level)", sendmsg(s, &m, 0));
    *(int *)(answer + 8) = SOL_SOCKET;
    *(int *)(answer + 12) = SCM_RIGHTS;
    *(size_t *)answer = 20;
    *(int *)(answer + 16) = 0;
    show("sendmsg(SCM_RIGHTS)", sendmsg(s, &m, 0));
    while (recv(s, answer, sizeof answer, MSG_DONTWAIT) > 0)
        ;

    /* A datagram that meets a bad pointer is gone. */
    show("recv(nothing there)", recv(s, answer, sizeof answer, MSG_DONTWAIT));
    ask(s, 2);
    show("recv(bad)", recv(s, bad, 100, MSG_DONTWAIT));
    show("recv(after bad)", recv(s, answer, sizeof answer, MSG_DONTWAIT));
    ask(s, 3);
    show("recv(edge)", recv(s, edge - 10, 100, MSG_DONTWAIT));
    ask(s, 4);
    show("recv(text)", recv(s, (void *)main, 100, MSG_DONTWAIT));
    ask(s, 5);
    room = 12;
    show("recvfrom(name bad)", recvfrom(s, answer, 100, MSG_DONTWAIT, (void *)bad, &room));
    ask(s, 6);
    show("recvfrom(length NULL)", recvfrom(s, answer, 100, MSG_DONTWAIT, (void *)&name, 0));
    ask(s, 7);
    room = -1;
    show("recvfrom(room -1)", recvfrom(s, answer, 100, MSG_DONTWAIT, (void *)&name, &room));
    show("recv(kernel address)", recv(s, (void *)-4096L, 100, MSG_DONTWAIT));
    ask(s, 8);
    show("recvmsg(NULL)", syscall(SYS_recvmsg, s, 0, MSG_DONTWAIT));
    m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1025};
    show("recvmsg(1025 pieces)", recvmsg(s, &m, MSG_DONTWAIT));
    m = (struct msghdr){.msg_name = &name, .msg_namelen = -1, .msg_iov = &iov, .msg_iovlen = 1};
    show("recvmsg(namelen -1)", recvmsg(s, &m, MSG_DONTWAIT));
    show("recv(still there)", recv(s, answer, sizeof answer, MSG_DONTWAIT) > 0);
    ask(s, 9);
    m = (struct msghdr){.msg_name = bad, .msg_namelen = 12, .msg_iov = &iov, .msg_iovlen = 1};
    show("recvmsg(bad name)", recvmsg(s, &m, MSG_DONTWAIT));
    show("recv(after bad name)", recv(s, answer, sizeof answer, MSG_DONTWAIT));
    show("read(no bytes)", read(s, answer, 0));
    show("readv(1025 pieces)", readv(s, calloc(1025, sizeof(struct iovec)), 1025));
    show("recv(MSG_OOB)", recv(s, answer, 100, MSG_OOB | MSG_DONTWAIT));

    int value = 1;
    room = 4;
    show("setsockopt(NULL)", setsockopt(s, SOL_SOCKET, SO_RCVBUF, 0, 4));
    show("setsockopt(bad)", setsockopt(s, SOL_SOCKET, SO_RCVBUF, bad, 4));
    show("setsockopt(length 3)", setsockopt(s, SOL_SOCKET, SO_RCVBUF, &value, 3));
    show("setsockopt(length -1)", setsockopt(s, SOL_SOCKET, SO_RCVBUF, &value, -1));
    show("setsockopt(netlink, bad)", setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, bad, 4));
    show("setsockopt(netlink, 3)", setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &value, 3));
    show("setsockopt(level 77)", setsockopt(s, 77, 1, &value, 4));
    show("getsockopt(bad)", getsockopt(s, SOL_SOCKET, SO_TYPE, bad, &room));
    show("getsockopt(length NULL)", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, 0));
    room = -1;
    show("getsockopt(room -1)", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &room));
    room = 0;
    show("getsockopt(room 0)", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &room));
    show("getsockopt(level 77)", getsockopt(s, 77, 1, &value, &room));

    show("listen", listen(s, 1));
    show("accept", accept(s, 0, 0));
    show("accept4", accept4(s, 0, 0, 0));
    show("shutdown", shutdown(s, SHUT_RD));
    show("ioctl(FIONREAD)", ioctl(s, FIONREAD, &value));
    show("ioctl(SIOCOUTQ)", ioctl(s, SIOCOUTQ, &value));
    show("ioctl(SIOCATMARK)", ioctl(s, 0x8905, &value));
    show("ioctl(unknown)", ioctl(s, 0x89e0, &value));
    show("lseek", lseek(s, 0, SEEK_SET));
    show("pread", pread(s, answer, 10, 0));
    show("recv(-1)", recv(-1, answer, 1, 0));
    show("recv(no such descriptor)", recv(700, answer, 1, 0));
    show("bind(not a socket)", bind(dup2(0, 701), (void *)&KERNEL, 12));

    show("socket(type 1)", socket(AF_NETLINK, SOCK_STREAM, NETLINK_GENERIC));
    show("socket(type 5)", socket(AF_NETLINK, SOCK_SEQPACKET, NETLINK_GENERIC));
    show("socket(type 15)", socket(AF_NETLINK, 15, NETLINK_GENERIC));
    show("socket(flag 0x100)", socket(AF_NETLINK, SOCK_RAW | 0x100, NETLINK_GENERIC));
    show("socket(protocol 31)", socket(AF_NETLINK, SOCK_RAW, 31));
    show("socketpair", socketpair(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, (int[2]){0}));
    return 0;
}
