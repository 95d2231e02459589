/* monitor CPUS: prints a line for each process that ends on these CPUs, until it is interrupted.
 * An ordinary client of TASKSTATS, which knows nothing of netlink-emu. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	char attrs[65536];
};

static const struct nlattr *find(const char *attrs, int length, int type)
{
	while (length >= NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)attrs;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > length)
			return NULL;
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		attrs += NLA_ALIGN(attr->nla_len);
		length -= NLA_ALIGN(attr->nla_len);
	}
	return NULL;
}

static int inside(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

static const void *payload(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

static void ask(int fd, int family, int cmd, int type, const char *text)
{
	struct message m = {
		.nlh = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.genl = {.cmd = cmd, .version = 1},
	};
	struct nlattr attr = {.nla_len = NLA_HDRLEN + strlen(text) + 1, .nla_type = type};

	memcpy(m.attrs, &attr, sizeof(attr));
	memcpy(m.attrs + NLA_HDRLEN, text, strlen(text) + 1);
	m.nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(attr.nla_len);
	if (send(fd, &m, m.nlh.nlmsg_len, 0) < 0) {
		perror("monitor: send");
		exit(1);
	}
}

/* The length of the attributes; 0 for an ack, -errno for an error. */
static int receive(int fd, struct message *m)
{
	ssize_t got = recv(fd, m, sizeof(*m), 0);

	if (got < 0)
		return -errno;
	if (m->nlh.nlmsg_type == NLMSG_ERROR)
		return *(int *)&m->genl;
	return m->nlh.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
}

static void report(const struct message *m, int length)
{
	const struct nlattr *task = find(m->attrs, length, TASKSTATS_TYPE_AGGR_PID);
	const struct nlattr *stats, *pid;
	const struct taskstats *ts;

	if (!task)
		return;
	pid = find(payload(task), inside(task), TASKSTATS_TYPE_PID);
	stats = find(payload(task), inside(task), TASKSTATS_TYPE_STATS);
	if (!pid || !stats || inside(stats) < (int)offsetof(struct taskstats, ac_sched))
		return;
	ts = payload(stats);
	printf("%u %s ", *(const uint32_t *)payload(pid), ts->ac_comm);
	if (ts->ac_exitcode & 0x7f)
		printf("signal %u\n", ts->ac_exitcode & 0x7f);
	else
		printf("exit %u\n", ts->ac_exitcode >> 8);
}

int main(int argc, char **argv)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	const struct nlattr *id;
	static struct message m;
	int family, length;

	if (fd < 0 || argc != 2) {
		fprintf(stderr, "usage: monitor CPUS\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME);
	length = receive(fd, &m);
	id = length > 0 ? find(m.attrs, length, CTRL_ATTR_FAMILY_ID) : NULL;
	if (!id) {
		fprintf(stderr, "monitor: this kernel has no TASKSTATS\n");
		return 2;
	}
	family = *(const uint16_t *)payload(id);
	receive(fd, &m);
	ask(fd, family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, argv[1]);
	length = receive(fd, &m);
	if (length < 0) {
		fprintf(stderr, "monitor: cannot listen on CPUs %s: %s\n", argv[1], strerror(-length));
		return 1;
	}
	for (;;) {
		length = receive(fd, &m);
		if (length == -ENOBUFS)
			printf("some were lost\n");
		else if (length > 0)
			report(&m, length);
	}
}
