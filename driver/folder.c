#include "folder.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"

struct ovi_folder *ovi_folder_new(int fd)
{
	struct ovi_folder *folder = malloc(sizeof(*folder));

	if (!folder) {
		close(fd);
		return NULL;
	}
	folder->fd = fd;
	atomic_init(&folder->users, 1);

	return folder;
}

int ovi_folder_open(const struct ovi_folder *parent, const char *name,
                    struct ovi_folder **ret_folder, struct ovl2_error *err)
{
	int fd;
	int r;

	r = ovi_dir_open(parent->fd, name, &fd, err);
	if (r < 0)
		return r;
	*ret_folder = ovi_folder_new(fd);

	return *ret_folder ? 0 : ovi_fail_memory(err);
}

struct ovi_folder *ovi_folder_hold(struct ovi_folder *folder)
{
	atomic_fetch_add(&folder->users, 1);

	return folder;
}

void ovi_folder_drop(struct ovi_folder *folder)
{
	if (!folder || atomic_fetch_sub(&folder->users, 1) > 1)
		return;

	ovi_close_fd(&folder->fd);
	free(folder);
}
