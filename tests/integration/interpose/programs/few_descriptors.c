/* Threads that wait, each on a socket of its own: few_descriptors THREADS. All are woken. */
#include "client.h"

static int fds[4096], woken, failed;

static void *waiter(void *number)
{
    char byte[64];
    if (recv(fds[(long)number], byte, sizeof byte, 0) == 20)
        __sync_fetch_and_add(&woken, 1);
    else
        __sync_fetch_and_add(&failed, 1);
    return 0;
}

int main(int argc, char **argv)
{
    static unsigned portids[4096];
    int i, s, made, n = atoi(argv[1]);
    struct sockaddr_nl name = KERNEL;
    char message[20] = {20};
    pthread_t threads[4096];
    pthread_attr_t attributes;

    (void)argc;
    alarm(NET_MS / 1000); /* a net */
    s = open_bound();
    for (made = 0; made < n; made++) {
        fds[made] = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
        if (fds[made] < 0) {
            printf("socket: %s\n", error_name(errno));
            break;
        }
        if (bind(fds[made], (void *)&KERNEL, sizeof KERNEL) < 0) {
            printf("bind: %s\n", error_name(errno));
            return 1;
        }
        portids[made] = portid_of(fds[made]);
    }
    if (made > 60)
        printf("enough sockets\n");
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (i = 0; i < made; i++)
        pthread_create(&threads[i], &attributes, waiter, (void *)(long)i);
    usleep(300000); /* so that most wait; those who come later are served as well */
    for (i = 0; i < made; i++) {
        name.nl_pid = portids[i];
        if (sendto(s, message, sizeof message, 0, (void *)&name, sizeof name) != sizeof message)
            printf("send: %s\n", error_name(errno));
    }
    for (i = 0; i < made; i++)
        pthread_join(threads[i], 0);
    printf("all woken: %d, failed %d\n", woken == made, failed);
    return 0;
}
