/* A message for a socket that has just been closed: nobody is there. */
#include "client.h"

int main(void)
{
    int i, times = 200, refused = 0, connected = 0, s = open_bound(), other, third;
    struct sockaddr_nl name;
    socklen_t length;
    char message[20] = {20};

    for (i = 0; i < times; i++) {
        other = open_bound();
        third = open_socket(SOCK_RAW);
        length = sizeof name;
        getsockname(other, (void *)&name, &length);
        connect(third, (void *)&name, sizeof name);
        close(other);
        refused += sendto(s, message, sizeof message, 0, (void *)&name, sizeof name) < 0 && errno == ECONNREFUSED;
        connected += send(third, message, sizeof message, 0) < 0 && errno == ECONNREFUSED;
        close(third);
    }
    printf("refused: %d and %d of %d\n", refused, connected, times);
    return 0;
}
