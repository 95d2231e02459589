/* Processes that are stopped and continued while one of their threads executes another program.
 *
 * stops NUMBER: so many processes of seven threads each. In each a thread executes true(1), the
 * others end, end the process or wait; every third process gets SIGSTOP and, 300 us later,
 * SIGCONT. Says how many have ended, which all must in time: none may stay stopped.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *execute(void *unused)
{
	char *argv[] = {"true", NULL};

	usleep(rand() % 3000);
	execvp(argv[0], argv);
	return unused;
}

static void *end(void *unused)
{
	usleep(rand() % 4000);
	return unused;
}

static void child(int number)
{
	pthread_t thread;

	srand(number);
	for (int i = 0; i < 6; i++)
		pthread_create(&thread, NULL, i == 3 ? execute : end, NULL);
	usleep(rand() % 5000);
	switch (number % 4) {
	case 0:
		_exit(3);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		pthread_exit(NULL);
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1, ended = 0;

	for (int number = 0; number < count; number++) {
		pid_t pid = fork();

		if (pid == 0)
			child(number);
		if (number % 3 == 0) {
			usleep(500);
			kill(pid, SIGSTOP);
			usleep(300);
			kill(pid, SIGCONT);
		}
		if (number % 10 == 9)
			usleep(9000);
	}
	while (wait(NULL) > 0)
		ended++;
	printf("%d of %d ended\n", ended, count);
	return 0;
}
