/* The statistics of a process, asked for as getdelays does: family by name, TASKSTATS_CMD_GET. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>

static char buffer[8192];

static struct nlattr *ask(int s, int type, int command, int attribute, const void *data, int size)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct nlmsghdr *header = (void *)buffer;
    long n;

    memset(buffer, 0, 64);
    header->nlmsg_len = NLMSG_ALIGN(16 + 4 + 4 + size);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_pid = getpid();
    buffer[16] = command;
    buffer[17] = 1;
    *(unsigned short *)(buffer + 20) = 4 + size;
    *(unsigned short *)(buffer + 22) = attribute;
    memcpy(buffer + 24, data, size);
    if (sendto(s, buffer, header->nlmsg_len, 0, (void *)&kernel, sizeof kernel) < 0) {
        perror("sendto");
        exit(1);
    }
    n = recv(s, buffer, sizeof buffer, 0);
    if (n < 20 || !NLMSG_OK(header, n)) {
        printf("bad answer of %ld bytes\n", n);
        exit(1);
    }
    if (header->nlmsg_type == NLMSG_ERROR) {
        printf("error %s\n", strerror(-*(int *)(buffer + 16)));
        exit(2);
    }
    return (struct nlattr *)(buffer + 20);
}

static struct nlattr *next(struct nlattr *a)
{
    return (struct nlattr *)((char *)a + NLA_ALIGN(a->nla_len));
}

int main(int argc, char **argv)
{
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC), id;
    struct sockaddr_nl local = {.nl_family = AF_NETLINK};
    unsigned pid = argc > 1 ? atoi(argv[1]) : getpid();
    struct nlattr *a;
    struct taskstats *t;

    if (s < 0 || bind(s, (void *)&local, sizeof local) < 0) {
        perror("socket");
        return 1;
    }
    a = ask(s, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "TASKSTATS", 10);
    id = *(unsigned short *)(next(a) + 1); /* the second attribute, as many clients take it */
    a = ask(s, id, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &pid, 4);
    a = a + 1; /* into TASKSTATS_TYPE_AGGR_PID */
    t = (struct taskstats *)(next(a) + 1);
    printf("pid %s, version %u, of %u bytes, comm %s, uid %u\n",
           *(unsigned *)(a + 1) == pid && t->ac_pid == pid ? "right" : "wrong", t->version,
           next(a)->nla_len - 4, t->ac_comm, t->ac_uid);
    return 0;
}
