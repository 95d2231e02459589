/* What a listener sees of tasks that end: its own children, in every way to end.
 *
 * Prints one line for each event, which must be in the socket's queue when the parent has reaped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/acct.h>
#include <linux/futex.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int sock, family;
static pid_t child;

struct request {
	struct nlmsghdr n;
	struct genlmsghdr g;
	char attrs[128];
};

static void ask(int type, int cmd, int attr, const void *data, int size)
{
	struct request r = { 0 };
	struct nlattr *a = (void *)r.attrs;
	a->nla_type = attr;
	a->nla_len = NLA_HDRLEN + size;
	memcpy(r.attrs + NLA_HDRLEN, data, size);
	r.n.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(a->nla_len);
	r.n.nlmsg_type = type;
	r.n.nlmsg_flags = NLM_F_REQUEST;
	r.g.cmd = cmd;
	r.g.version = 1;
	if (send(sock, &r, r.n.nlmsg_len, 0) < 0)
		perror("send");
}

static void find_family(void)
{
	char answer[4096];
	ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "TASKSTATS", 10);
	int n = recv(sock, answer, sizeof answer, 0);
	for (int at = NLMSG_LENGTH(GENL_HDRLEN); at < n;) {
		struct nlattr *a = (void *)(answer + at);
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			family = *(unsigned short *)(a + 1);
		at += NLA_ALIGN(a->nla_len);
	}
}

static const char *flag_names(int flags)
{
	static char text[64];
	*text = 0;
	if (flags & AFORK) strcat(text, " AFORK");
	if (flags & ACORE) strcat(text, " ACORE");
	if (flags & AXSIG) strcat(text, " AXSIG");
	return text;
}

static char lines[64][128];
static int count_of_lines;

/* Kept for print(); AGROUP is told apart, for which thread is the last is chance. */
static void tell_task(struct taskstats *s, unsigned nr)
{
	char *line = lines[count_of_lines++ % 64];
	int code = s->ac_exitcode;
	int n = sprintf(line, "  task %s %d%s %s", code >> 8 ? "code" : "signal",
			code >> 8 ? code >> 8 : code & 0x7f, flag_names(s->ac_flag), s->ac_comm);
	n += sprintf(line + n, "%s", nr == child ? " the child" : "");
	n += sprintf(line + n, "%s", nr == s->ac_pid ? "" : " of another number");
	n += sprintf(line + n, "%s", s->ac_ppid == getpid() ? " of mine" : "");
	if (s->ac_uid != getuid() || s->ac_gid != getgid())
		n += sprintf(line + n, " of another user");
	if (s->ac_etime > 60000000 || s->cpu_run_virtual_total / 1000 > s->ac_etime + 20000)
		n += sprintf(line + n, " of another time");
	if (s->hiwater_rss > s->hiwater_vm)
		n += sprintf(line + n, " with odd memory");
	if (s->nvcsw + s->nivcsw > s->cpu_count + 8)
		n += sprintf(line + n, " with odd switches");
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void print(int groups)
{
	qsort(lines, count_of_lines, sizeof *lines, compare);
	for (int i = 0; i < count_of_lines; i++)
		printf("%s\n", lines[i]);
	if (groups)
		printf("  the last one with its group\n");
	count_of_lines = 0;
}

/* Reads all events that are there of children of ours, prints them, returns how many. */
static int events(int quiet)
{
	char m[8192];
	int n, count = 0, groups = 0;
	while ((n = recv(sock, m, sizeof m, MSG_DONTWAIT)) > 0) {
		struct taskstats *s = (void *)(m + 36);
		if (s->ac_ppid != getpid())
			continue;
		count++;
		if (quiet)
			continue;
		if (groups)
			printf("  after its group:\n");
		tell_task(s, *(unsigned *)(m + 28));
		int at = 20 + NLA_ALIGN(((struct nlattr *)(m + 20))->nla_len);
		if (at < n) {
			struct taskstats *sums = (void *)(m + at + 16);
			groups++;
			if (*(unsigned *)(m + at + 8) != child || !(s->ac_flag & 0x20) || !sums->cpu_count)
				printf("  a group that is odd\n");
		}
	}
	if (n < 0 && errno != EAGAIN)
		perror("recv");
	if (!quiet)
		print(groups);
	return count;
}

static void reap(void)
{
	int status;
	if (waitpid(child, &status, 0) != child)
		perror("waitpid");
	events(0);
}

#define FORKED(what) printf("%s\n", what); fflush(stdout); if (!(child = fork()))

static void *thread_ends(void *unused)
{
	return NULL;
}

static void *thread_waits(void *unused)
{
	pause();
	return NULL;
}

static void *thread_executes(void *unused)
{
	execl("/bin/true", "true", NULL);
	return NULL;
}

/* Not 0 as long as the leader lives. The kernel clears it, for no pthread_join() need tell the
 * end of a thread that has called exit(2) itself: glibc's does not any more.
 */
static int leader_lives;

static void *outlives_leader(void *unused)
{
	int lives;
	while ((lives = __atomic_load_n(&leader_lives, __ATOMIC_ACQUIRE)))
		syscall(SYS_futex, &leader_lives, FUTEX_WAIT, lives, NULL, NULL, 0);
	syscall(SYS_exit, 0);
	return unused;
}

static void *ends_the_process(void *unused)
{
	_exit(9);
}

static void threads(void *(*function)(void *), void *argument, int join)
{
	pthread_t thread;
	pthread_create(&thread, NULL, function, argument);
	if (join)
		pthread_join(thread, NULL);
}

static unsigned ask_zombie(int attr)
{
	char m[8192];
	unsigned nr = child;
	ask(family, TASKSTATS_CMD_GET, attr, &nr, 4);
	struct nlmsghdr *n = (void *)m;
	do /* past the exits of others on the same machine, which are for no portid */
		recv(sock, m, sizeof m, 0);
	while (!n->nlmsg_pid);
	if (n->nlmsg_type == NLMSG_ERROR)
		return -*(int *)NLMSG_DATA(n);
	struct taskstats *s = (void *)(m + 36);
	printf("  answers: version %s, comm %s, code %d%s\n", s->version ? "yes" : "no", s->ac_comm,
	       s->ac_exitcode >> 8, s->hiwater_rss ? "" : ", without memory");
	return 0;
}

static void on_cpu(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv)
{
	int size = 1 << 20;
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	find_family();
	ask(family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, argv[1], strlen(argv[1]) + 1);
	if (events(1))
		printf("something was there before\n");

	FORKED("exit") _exit(3);
	reap();
	FORKED("SIGKILL") { pause(); _exit(0); }
	kill(child, SIGKILL);
	reap();
	FORKED("SIGTERM, twice") { pause(); _exit(0); }
	kill(child, SIGTERM);
	kill(child, SIGTERM);
	reap();
	FORKED("SIGKILL, twice") { pause(); _exit(0); }
	kill(child, SIGKILL);
	kill(child, SIGKILL);
	reap();
	FORKED("SIGSEGV") { raise(SIGSEGV); }
	reap();
	FORKED("exec") { execl("/bin/sh", "sh", "-c", "exit 4", NULL); }
	reap();
	printf("posix_spawn\n");
	char *const command[] = { "true", NULL };
	posix_spawn(&child, "/bin/true", NULL, NULL, command, environ);
	reap();
	printf("vfork\n");
	if (!(child = vfork()))
		_exit(6);
	reap();
	FORKED("stopped, continued, killed") { for (;;) pause(); }
	int status;
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	printf("  stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
	kill(child, SIGCONT);
	waitpid(child, &status, WCONTINUED);
	printf("  continued %d\n", WIFCONTINUED(status));
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGKILL);
	reap();

	printf("a zombie\n");
	fflush(stdout);
	if (!(child = fork()))
		_exit(7);
	siginfo_t info;
	waitid(P_PID, child, &info, WEXITED | WNOWAIT);
	events(0);
	ask_zombie(TASKSTATS_CMD_ATTR_PID);
	ask_zombie(TASKSTATS_CMD_ATTR_TGID);
	waitpid(child, NULL, 0);
	printf("  reaped: %s\n", strerror(ask_zombie(TASKSTATS_CMD_ATTR_PID)));

	printf("reaped by nobody\n");
	signal(SIGCHLD, SIG_IGN);
	fflush(stdout);
	if (!(child = fork()))
		_exit(8);
	while (waitpid(child, NULL, 0) >= 0)
		;
	events(0);
	signal(SIGCHLD, SIG_DFL);

	FORKED("a thread, joined") { threads(thread_ends, NULL, 1); _exit(1); }
	reap();
	FORKED("exit_group with a thread") { threads(thread_waits, NULL, 0); _exit(2); }
	reap();
	FORKED("a thread calls exit_group") { threads(ends_the_process, NULL, 1); }
	reap();
	FORKED("the leader ends first") {
		leader_lives = 1;
		syscall(SYS_set_tid_address, &leader_lives);
		threads(outlives_leader, NULL, 0);
		syscall(SYS_exit, 5);
	}
	reap();
	FORKED("a thread executes") { threads(thread_executes, NULL, 1); }
	reap();
	int ready[2];
	pipe(ready);
	FORKED("threads, killed") {
		threads(thread_waits, NULL, 0);
		threads(thread_waits, NULL, 0);
		write(ready[1], "", 1);
		pause();
	}
	read(ready[0], &status, 1); /* until all are there */
	kill(child, SIGKILL);
	reap();

	printf("an orphan\n");
	int ends[2];
	pipe(ends);
	fflush(stdout);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!(child = fork())) {
		if (fork())
			_exit(0);
		close(ends[1]);
		read(ends[0], &status, 1); /* until our parent has ended */
		prctl(PR_SET_NAME, "orphan");
		_exit(2);
	}
	waitpid(child, NULL, 0);
	close(ends[1]);
	child = waitpid(-1, NULL, 0);
	events(0);

	printf("many\n");
	for (int i = 0; i < 50; i++)
		if (!fork())
			_exit(i);
	int reaped = 0, told = 0;
	while (waitpid(-1, NULL, 0) > 0) {
		told += events(1);
		if (told < ++reaped)
			printf("  reaped %d, told of %d\n", reaped, told);
	}
	printf("  %d\n", told);

	ask(family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, argv[1], strlen(argv[1]) + 1);
	FORKED("nobody listens") _exit(0);
	reap();
	ask(family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "0", 2);
	FORKED("on CPU 0, which is listened to") { on_cpu(0); _exit(0); }
	reap();
	FORKED("on CPU 1, which is not") { on_cpu(1); _exit(0); }
	reap();
	return 0;
}
