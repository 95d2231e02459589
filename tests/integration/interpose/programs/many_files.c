/* A server with many files and connections, and one socket: its reads and writes are its own. */
#include "client.h"
#include <sys/resource.h>

int main(void)
{
    int pair[2], i, n = 0;
    char byte;
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
    setrlimit(RLIMIT_NOFILE, &limit);
    close(open_bound());
    pipe(pair);
    /* From 512 on, as after so many connections; and where the limit was raised for more. */
    for (i = 512; i < 700; i += 2)
        dup2(pair[1], i), dup2(pair[0], i + 1);
    for (i = 512; i < 700; i += 2)
        n += write(i, "x", 1) == 1 && read(i + 1, &byte, 1) == 1;
    dup2(pair[1], 1500), dup2(pair[0], 1501);
    n += write(1500, "x", 1) == 1 && read(1501, &byte, 1) == 1;
    printf("%d went through\n", n);
    return 0;
}
