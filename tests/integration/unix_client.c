/* A client in C: unix_client PATH PORTID OPTIONS HEX
 *
 * Binds PORTID and switches the SOL_NETLINK options of the mask OPTIONS on, by the server's
 * hello; sends HEX, and prints the answers in hex, one a line. An NLMSG_NOOP that wants an
 * ack marks where they end.
 */
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct hello {
	char magic[16];
	uint32_t version;
	int32_t error;
	uint32_t portid, groups, options, rcvbuf;
};

static unsigned char buf[1 << 20];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct hello hello = { .magic = "\0\0\0\0netlink-emu", .version = 1 };
	struct nlmsghdr fence = { .nlmsg_len = 16, .nlmsg_type = NLMSG_NOOP,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
				  .nlmsg_seq = 0xfffffff0 };
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
	ssize_t len;
	size_t i, n;
	int fd;

	if (argc != 5)
		return 2;
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	/* Autobind: the server needs a name to answer to. */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sa_family_t)))
		die("bind");
	strncpy(sun.sun_path, argv[1], sizeof(sun.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		die("connect");

	hello.portid = strtoul(argv[2], NULL, 10);
	hello.options = strtoul(argv[3], NULL, 10);
	if (send(fd, &hello, sizeof(hello), 0) != sizeof(hello))
		die("send hello");
	if (recv(fd, &hello, sizeof(hello), 0) != sizeof(hello) || hello.error)
		die("hello");

	n = strlen(argv[4]) / 2;
	for (i = 0; i < n; i++)
		if (sscanf(argv[4] + 2 * i, "%2hhx", &buf[i]) != 1)
			return 2;
	if (send(fd, buf, n, 0) != (ssize_t)n || send(fd, &fence, 16, 0) != 16)
		die("send");
	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			die("recv");
		if (len == 36 && nlh->nlmsg_seq == fence.nlmsg_seq)
			return 0;
		for (i = 0; i < (size_t)len; i++)
			printf("%02x", buf[i]);
		putchar('\n');
	}
}
