/* Asks TASKSTATS for a task and prints every member of struct taskstats as its header declares
 * it. The header and the list of members are generated for one version:
 *
 *     cc -include taskstats_v13.h reader.c
 *
 *     reader PID          copies as many bytes as there are, as iotop does
 *     reader PID exact    insists on the size that it was compiled with, as collectd does
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    char attributes[4096];
};

static void die(const char *what, int number)
{
    fprintf(stderr, "%s: %s\n", what, strerror(number));
    exit(1);
}

static struct nlattr *attribute(struct nlattr *first, size_t length, int type)
{
    char *at = (char *)first, *end = at + length;

    while (end - at >= NLA_HDRLEN) {
        struct nlattr *found = (struct nlattr *)at;

        if (found->nla_len < NLA_HDRLEN || found->nla_len > end - at)
            break;
        if (found->nla_type == type)
            return found;
        at += NLA_ALIGN(found->nla_len);
    }
    die("attribute is missing", EPROTO);
    return NULL;
}

static void ask(int sock, struct message *message, int family, int command, int type,
                const void *payload, size_t length)
{
    struct nlattr *attr = (struct nlattr *)message->attributes;
    ssize_t received;

    memset(message, 0, sizeof *message);
    message->header.nlmsg_type = family;
    message->header.nlmsg_flags = NLM_F_REQUEST;
    message->header.nlmsg_seq = 1;
    message->generic.cmd = command;
    message->generic.version = 1;
    attr->nla_type = type;
    attr->nla_len = NLA_HDRLEN + length;
    memcpy((char *)attr + NLA_HDRLEN, payload, length);
    message->header.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(attr->nla_len);
    if (send(sock, message, message->header.nlmsg_len, 0) < 0)
        die("send", errno);
    received = recv(sock, message, sizeof *message, 0);
    if (received < 0)
        die("recv", errno);
    if (message->header.nlmsg_type == NLMSG_ERROR)
        die("answer", -((struct nlmsgerr *)NLMSG_DATA(&message->header))->error);
    if (received < (ssize_t)message->header.nlmsg_len)
        die("short answer", EPROTO);
}

/* The text in a member that may hold anything. */
static __attribute__((unused)) const char *printable(const char *text, size_t size)
{
    static char shown[64];
    size_t n;

    for (n = 0; n < size && text[n]; n++)
        shown[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    shown[n] = 0;
    return shown;
}

static size_t attributes_length(const struct message *message)
{
    return message->header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
}

int main(int argc, char **argv)
{
    static struct message message;
    static struct taskstats stats;
    struct sockaddr_nl address = { .nl_family = AF_NETLINK };
    struct nlattr *found;
    uint32_t pid = argc > 1 ? atoi(argv[1]) : 0;
    int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    size_t length;
    uint16_t family;

    if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof address) < 0)
        die("socket", errno);
    ask(sock, &message, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "TASKSTATS", 10);
    found = attribute((struct nlattr *)message.attributes, attributes_length(&message),
                      CTRL_ATTR_FAMILY_ID);
    memcpy(&family, (char *)found + NLA_HDRLEN, sizeof family);

    ask(sock, &message, family, 1, 1, &pid, sizeof pid);
    found = attribute((struct nlattr *)message.attributes, attributes_length(&message), 4);
    found = attribute((struct nlattr *)((char *)found + NLA_HDRLEN), found->nla_len - NLA_HDRLEN, 3);
    length = found->nla_len - NLA_HDRLEN;
    if (argc > 2 && length != sizeof stats)
        die("struct taskstats", EPROTO);
    memcpy(&stats, (char *)found + NLA_HDRLEN, length < sizeof stats ? length : sizeof stats);

#define U(name) printf(#name "=%llu\n", (unsigned long long)stats.name);
#define S(name) printf(#name "=%s\n", printable(stats.name, sizeof stats.name));
#define T(name) printf(#name "=%lld.%09lld\n", (long long)stats.name.tv_sec, \
                       (long long)stats.name.tv_nsec);
    MEMBERS
    return 0;
}
