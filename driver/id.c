#include "id.h"

#include "fail.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Whatever the locale. */
static int is_alphanumeric(char letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
	       (letter >= '0' && letter <= '9');
}

int ovi_id_is_valid(const char *id)
{
	size_t length = 0;

	if (!is_alphanumeric(*id) || strcmp(id, "l") == 0)
		return 0;
	while (is_alphanumeric(id[length]) || (id[length] && strchr("_.-", id[length])))
		length++;

	return !id[length] && length < OVL2_ID_SIZE;
}

int ovi_id_check(const char *id, struct ovl2_error *err)
{
	if (id && ovi_id_is_valid(id))
		return 0;

	return ovi_fail(err, OVL2_E_INVALID,
	                "'%s' is not a layer id: use 1 to %d letters, digits and '_.-', "
	                "beginning with a letter or digit, and not just 'l'",
	                id ? id : "", OVL2_ID_SIZE - 1);
}

int ovi_link_is_valid(const char *text, size_t length)
{
	return length == OVI_LINK_SIZE - 1 && strncmp(text, "l/", 2) == 0 &&
	       strspn(text + 2, base32) >= OVI_LINK_LENGTH;
}

void ovi_layer_path(char ret_path[OVI_LAYER_PATH_SIZE], const char *id, const char *name)
{
	stpcpy(stpcpy(stpcpy(ret_path, id), "/"), name);
}

int ovi_random_name(char ret_name[OVI_LINK_LENGTH + 1], struct ovl2_error *err)
{
	unsigned char bytes[OVI_LINK_LENGTH];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return ovi_fail_errno(err, "get random bytes");

	for (size_t i = 0; i < sizeof(bytes); i++)
		ret_name[i] = base32[bytes[i] % 32];
	ret_name[OVI_LINK_LENGTH] = '\0';

	return 0;
}
