/* Threads open and close files while another makes sockets: numbers FILES SOCKETS.
 *
 * So many files are open all the time, so that the threads' numbers are near those of sockets.
 * Says how many sockets there were, and which files were no files any more. */
#include "client.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

static volatile int over;
static long opened, lost;

static void *holds(void *unused)
{
    int fds[32], i;
    struct stat status;
    while (!over) {
        for (i = 0; i < 32; i++)
            fds[i] = open("/etc/passwd", O_RDONLY);
        for (i = 0; i < 32; i++)
            lost += fds[i] >= 0 && (fstat(fds[i], &status) < 0 || !S_ISREG(status.st_mode));
        for (i = 0; i < 32; i++)
            close(fds[i]);
        opened += 32;
    }
    return unused;
}

static void *opens(void *unused)
{
    while (!over)
        close(open("/etc/passwd", O_RDONLY));
    return unused;
}

int main(int argc, char **argv)
{
    int files = atoi(argv[1]), sockets = atoi(argv[2]), made, s;
    struct rlimit limit;
    pthread_t threads[3];

    (void)argc;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 4096 && limit.rlim_max >= 4096)
        limit.rlim_cur = 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (open("/dev/null", O_RDONLY) < files)
        ;
    pthread_create(&threads[0], 0, holds, 0);
    pthread_create(&threads[1], 0, opens, 0);
    pthread_create(&threads[2], 0, opens, 0);
    for (made = 0; made < sockets; made++) {
        s = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
        if (s < 0) {
            printf("socket %d: %s\n", made, error_name(errno));
            break;
        }
        close(s);
    }
    while (opened < 32)
        usleep(1000);
    over = 1;
    for (s = 0; s < 3; s++)
        pthread_join(threads[s], 0);
    printf("%d sockets, %ld files lost\n", made, lost);
    return 0;
}
