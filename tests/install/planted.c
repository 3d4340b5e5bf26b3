/*
 * For test_exact.c, by LD_PRELOAD: a driver that makes one system call more for each file
 * that it opens.
 */

#include <sys/syscall.h>
#include <unistd.h>

/* As the driver calls it: always with a mode. */
int openat64(int dir, const char *path, int flags, unsigned int mode);

int openat64(int dir, const char *path, int flags, unsigned int mode)
{
	syscall(SYS_getppid);

	return (int)syscall(SYS_openat, dir, path, flags, mode);
}
