/*
 * A test suite in C for a client of TASKSTATS. It makes the tasks that it asks about by itself,
 * over the family NETLINK_EMU:
 *
 *     cc -o suite suite.c
 *     netlink-emu run --control --tasks none --config task_delayacct=on -- ./suite
 *
 * Output is TAP (https://testanything.org); the exit status is the number of failures.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_emu.h"

/* --- as much netlink as these tests need */

struct message {
	struct nlmsghdr header;
	struct genlmsghdr genl;
	char attrs[4000];
};

static int open_netlink(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("netlink");
		exit(99);
	}
	return fd;
}

static void begin(struct message *m, int family, int cmd, int flags)
{
	static uint32_t seq;

	memset(m, 0, sizeof(*m));
	m->header.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->header.nlmsg_type = family;
	m->header.nlmsg_flags = NLM_F_REQUEST | flags;
	m->header.nlmsg_seq = ++seq;
	m->genl.cmd = cmd;
	m->genl.version = 1;
}

static void put(struct message *m, int type, const void *data, size_t size)
{
	struct nlattr *attr = (void *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + size;
	memcpy((char *)attr + NLA_HDRLEN, data, size);
	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

static void put_u32(struct message *m, int type, uint32_t value)
{
	put(m, type, &value, sizeof(value));
}

static void put_string(struct message *m, int type, const char *text)
{
	put(m, type, text, strlen(text) + 1);
}

/* The attribute of a type in a message or a nest, NULL if it is not there. */
static struct nlattr *find(void *from, int size, int type)
{
	struct nlattr *attr = from;

	while (size >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= size) {
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		size -= NLA_ALIGN(attr->nla_len);
		attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len));
	}
	return NULL;
}

static void *payload(struct nlattr *attr)
{
	return (char *)attr + NLA_HDRLEN;
}

static struct nlattr *find_in(struct message *m, int type)
{
	return find(m->attrs, m->header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), type);
}

/* Sends a request and reads one datagram; 0, or the errno of send, recv or NLMSG_ERROR. */
static int ask(int fd, struct message *m)
{
	uint32_t seq = m->header.nlmsg_seq;
	struct nlmsgerr *error = (void *)&m->genl;

	if (send(fd, m, m->header.nlmsg_len, 0) < 0 || recv(fd, m, sizeof(*m), 0) < 0)
		return errno;
	if (m->header.nlmsg_seq != seq)
		return EPROTO;
	return m->header.nlmsg_type == NLMSG_ERROR ? -error->error : 0;
}

static int family_id(int fd, const char *name)
{
	struct message m;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put_string(&m, CTRL_ATTR_FAMILY_NAME, name);
	if (ask(fd, &m)) {
		fprintf(stderr, "there is no family %s\n", name);
		exit(99);
	}
	return *(uint16_t *)payload(find_in(&m, CTRL_ATTR_FAMILY_ID));
}

/* --- the emulated kernel, in our hands */

static int control, netlink_emu, taskstats;

static void must(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "%s: %s\n", what, strerror(error));
		exit(99);
	}
}

static void spawn(uint32_t pid, const char *comm, uint32_t cpu, uint64_t utime_ns)
{
	char amount[NLA_HDRLEN + sizeof(uint64_t)];
	struct nlattr *utime = (void *)amount;
	struct message m;

	utime->nla_type = NLEMU_A_AMOUNT_UTIME;
	utime->nla_len = sizeof(amount);
	memcpy(payload(utime), &utime_ns, sizeof(utime_ns));

	begin(&m, netlink_emu, NLEMU_CMD_TASK_NEW, 0);
	put_u32(&m, NLEMU_A_TASK_PID, pid);
	put_string(&m, NLEMU_A_TASK_COMM, comm);
	put_u32(&m, NLEMU_A_TASK_CPU, cpu);
	put(&m, NLEMU_A_TASK_AMOUNTS | NLA_F_NESTED, amount, sizeof(amount));
	must(ask(control, &m), "task-new");
}

static void end(uint32_t pid, uint32_t code)
{
	struct message m;

	begin(&m, netlink_emu, NLEMU_CMD_TASK_END, NLM_F_ACK);
	put_u32(&m, NLEMU_A_TASK_PID, pid);
	put_u32(&m, NLEMU_A_TASK_CODE, code);
	must(ask(control, &m), "task-end");
}

static void add_fault(const char *rule)
{
	struct message m;

	begin(&m, netlink_emu, NLEMU_CMD_FAULT_NEW, 0);
	put_string(&m, NLEMU_A_FAULT_RULE, rule);
	must(ask(control, &m), rule);
}

/* --- what is tested; in a project of yours this is its own code */

static int listen_for_exits(const char *cpus)
{
	struct message m;
	int fd = open_netlink();

	begin(&m, taskstats, TASKSTATS_CMD_GET, NLM_F_ACK);
	put_string(&m, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus);
	must(ask(fd, &m), "register");
	return fd;
}

static const struct taskstats *stats_of(struct message *m)
{
	struct nlattr *aggr = find_in(m, TASKSTATS_TYPE_AGGR_PID), *stats;

	if (!aggr)
		return NULL;
	stats = find(payload(aggr), aggr->nla_len - NLA_HDRLEN, TASKSTATS_TYPE_STATS);
	return stats ? payload(stats) : NULL;
}

/* --- tests */

static int failures;

static void ok(int good, int number, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", number, name);
	failures += !good;
}

int main(void)
{
	const struct taskstats *stats;
	struct message m;
	int fd, good;

	control = open_netlink();
	netlink_emu = family_id(control, NETLINK_EMU_GENL_NAME);
	taskstats = family_id(control, TASKSTATS_GENL_NAME);
	puts("1..4");

	fd = listen_for_exits("0-1");
	spawn(4242, "postgres", 1, 1500000000);
	end(4242, 3);
	recv(fd, &m, sizeof(m), MSG_DONTWAIT); /* it is there when the end was acknowledged */
	stats = stats_of(&m);
	ok(stats && stats->ac_pid == 4242 && stats->ac_exitcode == 3 << 8, 1,
	   "an exit is reported");
	close(fd);

	spawn(77, "worker", 0, 2000000);
	begin(&m, taskstats, TASKSTATS_CMD_GET, 0);
	put_u32(&m, TASKSTATS_CMD_ATTR_PID, 77);
	good = ask(control, &m) == 0 && (stats = stats_of(&m));
	ok(good && stats->ac_utime == 2000 && !strcmp(stats->ac_comm, "worker"), 2,
	   "statistics of a task");

	begin(&m, taskstats, TASKSTATS_CMD_GET, 0);
	put_u32(&m, TASKSTATS_CMD_ATTR_PID, 78);
	ok(ask(control, &m) == ESRCH, 3, "a task that is not there");

	fd = listen_for_exits("0");
	add_fault("enobufs kind=event");
	end(77, 0);
	good = recv(fd, &m, sizeof(m), MSG_DONTWAIT) < 0 && errno == ENOBUFS;
	ok(good, 4, "an overrun is told by ENOBUFS");
	close(fd);

	return failures;
}
