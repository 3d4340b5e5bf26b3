#include "id.h"

#include "fail.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

static const char base32[] = LETTERS "234567";

int ovi_id_is_valid(const char *id)
{
	size_t length = strlen(id);

	return length > 0 && length < OVL2_ID_SIZE && strspn(id, ALNUM) > 0 &&
	       strspn(id, ALNUM "_.-") == length && strcmp(id, "l") != 0;
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
