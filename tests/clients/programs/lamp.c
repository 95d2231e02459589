/* A client of the made-up family of lamp.yaml, with libmnl. */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_emu.h"

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

static void find(struct mnl_socket *sock, const char *name, struct family *family)
{
	char buffer[256];
	struct nlmsghdr *nlh = request(buffer, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	check(execute(sock, nlh, on_family, family) >= 0, name);
}

static void hear(struct mnl_socket *sock)
{
	char buffer[4096];
	ssize_t size = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));

	check(size > 0, "receive");
	check(mnl_cb_run(buffer, size, 0, 0, on_lamp, "told") >= 0, "told");
}

static int on_object(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	(void)data;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == NLEMU_A_FAMILY_JSON)
			printf("object: %s\n", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* A request to NETLINK_EMU about the lamps. */
static struct nlmsghdr *control(char *buffer, const struct family *emulator, uint8_t cmd,
				uint16_t flags)
{
	struct nlmsghdr *nlh = request(buffer, emulator->id, flags, cmd, 1);

	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_NAME, "lamp");
	return nlh;
}

static int change(struct mnl_socket *sock, const struct family *emulator, uint8_t cmd,
		  const char *json)
{
	char buffer[4096];
	struct nlmsghdr *nlh = control(buffer, emulator, cmd, NLM_F_ACK);

	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_KIND, "lamp");
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_JSON, json);
	return execute(sock, nlh, NULL, NULL);
}

/* What the machine does, as NETLINK_EMU is told: clients hear of it. */
static int under_control(void)
{
	char buffer[4096];
	struct mnl_socket *requests = opened(), *events = opened();
	struct family lamp = {0}, emulator = {0};
	struct nlmsghdr *nlh;

	find(requests, "lamp", &lamp);
	find(requests, "NETLINK_EMU", &emulator);
	check(mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &lamp.group,
				    sizeof(lamp.group)) == 0, "join");

	check(change(requests, &emulator, NLEMU_CMD_OBJECT_NEW,
		     "{\"name\": \"attic\", \"mode\": \"off\"}") >= 0, "new");
	check(change(requests, &emulator, NLEMU_CMD_OBJECT_SET,
		     "{\"name\": \"attic\", \"hours\": 3}") >= 0, "set");
	hear(events);
	nlh = control(buffer, &emulator, NLEMU_CMD_OBJECT_GET, NLM_F_DUMP);
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_KIND, "lamp");
	check(execute(requests, nlh, on_object, NULL) >= 0, "objects");
	check(change(requests, &emulator, NLEMU_CMD_OBJECT_DEL, "{\"name\": \"attic\"}") >= 0, "del");
	check(change(requests, &emulator, NLEMU_CMD_OBJECT_DEL, "{\"name\": \"attic\"}") < 0, "gone");
	printf("gone: errno %d, \"%s\"\n", refusal.error, refusal.text);
	check(change(requests, &emulator, NLEMU_CMD_OBJECT_NEW, "{\"hour\": 1}") < 0, "hour");
	printf("misspelt: errno %d, \"%s\"\n", refusal.error, refusal.text);

	nlh = control(buffer, &emulator, NLEMU_CMD_FAMILY_NOTIFY, NLM_F_ACK);
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_OPERATION, "lamp-change-ntf");
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_JSON, "{\"name\": \"cellar\"}");
	check(execute(requests, nlh, NULL, NULL) >= 0, "notify");
	hear(events);

	nlh = control(buffer, &emulator, NLEMU_CMD_FAMILY_FAIL, NLM_F_ACK);
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_OPERATION, "lamp-set");
	mnl_attr_put_u32(nlh, NLEMU_A_FAMILY_ERRNO, EBUSY);
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_TEXT, "it is hot");
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_ATTRIBUTE, "name");
	mnl_attr_put_u32(nlh, NLEMU_A_FAMILY_TIMES, 1);
	check(execute(requests, nlh, NULL, NULL) >= 0, "fail");
	nlh = request(buffer, lamp.id, NLM_F_ACK, CMD_SET, 1);
	put_change(nlh, "desk", 1);
	check(execute(requests, nlh, NULL, NULL) < 0, "was not refused");
	printf("canned: errno %d, offset %u, \"%s\"\n", refusal.error, refusal.offset, refusal.text);

	nlh = control(buffer, &emulator, NLEMU_CMD_FAMILY_REPLY, NLM_F_ACK);
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_OPERATION, "lamp-get");
	mnl_attr_put_strz(nlh, NLEMU_A_FAMILY_JSON, "{\"name\": \"moon\"}");
	check(execute(requests, nlh, NULL, NULL) >= 0, "reply");
	nlh = request(buffer, lamp.id, NLM_F_ACK, CMD_GET, 1);
	check(execute(requests, nlh, on_lamp, "canned") >= 0, "canned");
	return 0;
}

int main(int argc, char **argv)
{
	char buffer[4096];
	struct mnl_socket *requests, *events;
	struct family family = {0};
	struct nlmsghdr *nlh;

	if (argc > 1 && strcmp(argv[1], "control") == 0)
		return under_control();
	requests = opened();
	events = opened();
	find(requests, "lamp", &family);
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

	hear(events);

	nlh = request(buffer, family.id, NLM_F_ACK, CMD_SET, family.version);
	put_change(nlh, "desk", 101);
	check(execute(requests, nlh, NULL, NULL) < 0, "was not refused");
	printf("too green: errno %d, offset %u, \"%s\"\n", refusal.error, refusal.offset, refusal.text);

	mnl_socket_close(events);
	mnl_socket_close(requests);
	return 0;
}
