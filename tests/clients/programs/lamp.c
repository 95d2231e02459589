/* A client of the made-up family of lamp.yaml, with libmnl. */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CMD_GET = 1, CMD_SET };
enum { ATTR_NAME = 1, ATTR_HOURS, ATTR_MODE, ATTR_COLOUR };
enum { ATTR_RED = 1, ATTR_GREEN };
enum { MODE_BLINKING = 2 };

static const char *const modes[] = {"off", "steady", "blinking"};

struct family {
	uint16_t id;
	uint32_t version;
	uint32_t group;
};

struct refusal {
	int error;
	uint32_t offset;
	char text[256];
};

static struct refusal refusal;

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct mnl_socket *opened(void)
{
	struct mnl_socket *sock = mnl_socket_open(NETLINK_GENERIC);
	int on = 1;

	check(sock != NULL, "open");
	check(mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) == 0, "bind");
	check(mnl_socket_setsockopt(sock, NETLINK_EXT_ACK, &on, sizeof(on)) == 0, "NETLINK_EXT_ACK");
	return sock;
}

/* An error or an ack: the TLVs follow the request, or its header alone if the kernel capped it. */
static int on_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	unsigned int offset = sizeof(*err);

	(void)data;
	if (err->error == 0)
		return MNL_CB_STOP;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += mnl_nlmsg_get_payload_len(&err->msg);
	memset(&refusal, 0, sizeof(refusal));
	refusal.error = -err->error;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_for_each(attr, nlh, offset) {
			if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
				snprintf(refusal.text, sizeof(refusal.text), "%s", mnl_attr_get_str(attr));
			else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS)
				refusal.offset = mnl_attr_get_u32(attr);
		}
	errno = refusal.error;
	return MNL_CB_ERROR;
}

/* Sends a request and reads to its end: an ack, an error, or the end of a dump. */
static int execute(struct mnl_socket *sock, struct nlmsghdr *nlh, mnl_cb_t on_message, void *data)
{
	/* No longer than it must be: libmnl sees to types beyond it by itself, to NLMSG_DONE here. */
	static mnl_cb_t control[] = {[NLMSG_ERROR] = on_error};
	static char buffer[32768];
	static unsigned int sequence;
	ssize_t size;
	int more;

	nlh->nlmsg_seq = ++sequence;
	check(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) >= 0, "send");
	do {
		size = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));
		check(size > 0, "receive");
		more = mnl_cb_run2(buffer, size, sequence, mnl_socket_get_portid(sock), on_message, data,
				   control, MNL_ARRAY_SIZE(control));
	} while (more > MNL_CB_STOP);
	return more;
}

static struct nlmsghdr *request(char *buffer, uint16_t type, uint16_t flags, uint8_t cmd,
				uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

static void put_change(struct nlmsghdr *nlh, const char *name, uint8_t green)
{
	struct nlattr *colour;

	mnl_attr_put_strz(nlh, ATTR_NAME, name);
	mnl_attr_put_u64(nlh, ATTR_HOURS, UINT64_C(1) << 40);
	mnl_attr_put_u32(nlh, ATTR_MODE, MODE_BLINKING);
	/* Strict validation wants NLA_F_NESTED, which libmnl sets. */
	colour = mnl_attr_nest_start(nlh, ATTR_COLOUR);
	mnl_attr_put_u8(nlh, ATTR_GREEN, green);
	mnl_attr_nest_end(nlh, colour);
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	struct family *family = data;
	const struct nlattr *attr, *group, *part;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			family->id = mnl_attr_get_u16(attr);
			break;
		case CTRL_ATTR_FAMILY_NAME:
			printf("family %s", mnl_attr_get_str(attr));
			break;
		case CTRL_ATTR_VERSION:
			family->version = mnl_attr_get_u32(attr);
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			printf(" %u\n", family->version);
			mnl_attr_for_each_nested(group, attr)
				mnl_attr_for_each_nested(part, group) {
					if (mnl_attr_get_type(part) == CTRL_ATTR_MCAST_GRP_ID)
						family->group = mnl_attr_get_u32(part);
					else if (mnl_attr_get_type(part) == CTRL_ATTR_MCAST_GRP_NAME)
						printf("group %s\n", mnl_attr_get_str(part));
				}
		}
	}
	return MNL_CB_OK;
}

static int on_lamp(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *part;

	printf("%s: cmd %u", (const char *)data, genl->cmd);
	mnl_attr_for_each(attr, nlh, sizeof(*genl)) {
		switch (mnl_attr_get_type(attr)) {
		case ATTR_NAME:
			check(mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0, "name");
			printf(" %s", mnl_attr_get_str(attr));
			break;
		case ATTR_HOURS:
			check(mnl_attr_validate(attr, MNL_TYPE_U64) == 0, "hours");
			printf(" hours %" PRIu64, mnl_attr_get_u64(attr));
			break;
		case ATTR_MODE:
			check(mnl_attr_validate(attr, MNL_TYPE_U32) == 0, "mode");
			check(mnl_attr_get_u32(attr) <= MODE_BLINKING, "mode");
			printf(" %s", modes[mnl_attr_get_u32(attr)]);
			break;
		case ATTR_COLOUR:
			check(mnl_attr_validate(attr, MNL_TYPE_NESTED) == 0, "colour");
			mnl_attr_for_each_nested(part, attr)
				printf(" %s %u", mnl_attr_get_type(part) == ATTR_RED ? "red" : "green",
				       mnl_attr_get_u8(part));
		}
	}
	printf("\n");
	return MNL_CB_OK;
}

int main(void)
{
	char buffer[4096];
	struct mnl_socket *requests = opened(), *events = opened();
	struct family family = {0};
	struct nlmsghdr *nlh;
	ssize_t size;

	nlh = request(buffer, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, "lamp");
	check(execute(requests, nlh, on_family, &family) >= 0, "GETFAMILY");
	check(mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &family.group,
				    sizeof(family.group)) == 0, "join");

	nlh = request(buffer, family.id, NLM_F_ACK, CMD_SET, family.version);
	put_change(nlh, "desk", 100);
	check(execute(requests, nlh, NULL, NULL) >= 0, "set");
	printf("set\n");

	nlh = request(buffer, family.id, NLM_F_ACK, CMD_GET, family.version);
	mnl_attr_put_strz(nlh, ATTR_NAME, "desk");
	check(execute(requests, nlh, on_lamp, "get") >= 0, "get");

	nlh = request(buffer, family.id, NLM_F_DUMP, CMD_GET, family.version);
	check(execute(requests, nlh, on_lamp, "dump") >= 0, "dump");

	size = mnl_socket_recvfrom(events, buffer, sizeof(buffer));
	check(size > 0, "receive");
	check(mnl_cb_run(buffer, size, 0, 0, on_lamp, "told") >= 0, "told");

	nlh = request(buffer, family.id, NLM_F_ACK, CMD_SET, family.version);
	put_change(nlh, "desk", 101);
	check(execute(requests, nlh, NULL, NULL) < 0, "was not refused");
	printf("too green: errno %d, offset %u, \"%s\"\n", refusal.error, refusal.offset, refusal.text);

	mnl_socket_close(events);
	mnl_socket_close(requests);
	return 0;
}
