/* Every option number of SOL_SOCKET: what is read before anything is set, and what 1 sets. */
#include "client.h"

#define LAST 83 /* SO_INQ, as of 6.18 */

static int s;

/* Numbers of this very socket or host: that they can be read is all. */
static int is_chance(int option)
{
    return option == SO_SNDBUF || option == SO_RCVBUF || option == 57 /* SO_COOKIE */ || option == 71 /* SO_NETNS_COOKIE */ ||
           option == 49 /* SO_INCOMING_CPU */ || option == 55 /* SO_MEMINFO */;
}

static void get(int option)
{
    int value[40];
    socklen_t length = sizeof value;
    memset(value, 0x5a, sizeof value);
    printf("get %d: ", option);
    if (getsockopt(s, SOL_SOCKET, option, value, &length) < 0)
        printf("%s\n", error_name(errno));
    else if (is_chance(option))
        printf("length %d\n", length);
    else
        printf("length %d, %d\n", length, length ? value[0] : -1);
}

static void buffer(const char *what, int option, int size, int read_by)
{
    int value;
    socklen_t length = sizeof value;
    long done = setsockopt(s, SOL_SOCKET, option, &size, sizeof size);
    printf("%s %d: %s", what, size, done < 0 ? error_name(errno) : "ok");
    getsockopt(s, SOL_SOCKET, read_by, &value, &length);
    printf(", read back %d\n", value);
}

int main(void)
{
    static const int sizes[] = {0, 100, 4608, 65536, 1 << 28, 0x7fffffff, -1};
    unsigned i;
    int one = 1;

    s = open_bound();
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buffer("SO_RCVBUFFORCE", SO_RCVBUFFORCE, sizes[i], SO_RCVBUF);
        buffer("SO_SNDBUFFORCE", SO_SNDBUFFORCE, sizes[i], SO_SNDBUF);
    }
    close(s);
    s = open_bound();
    for (i = 1; i <= LAST; i++)
        get(i);
    for (i = 1; i <= LAST; i++) {
        printf("set %d: %s\n", i,
               setsockopt(s, SOL_SOCKET, i, &one, sizeof one) < 0 ? error_name(errno) : "ok");
        get(i);
    }
    return 0;
}
