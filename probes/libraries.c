#include "environment.h"

#include <string.h>

#ifdef OVL2_PROBE_ALONE

/* One static program: there is nothing else in it. */
json_t *environment_libraries(void)
{
	return json_pack("{s:s}", "jansson", jansson_version_str());
}

#else

#include <archive.h>
#include <libmount.h>
#include <openssl/crypto.h>

json_t *environment_libraries(void)
{
	const char *mount = "";
	const char *archive = strchr(archive_version_string(), ' ');

	mnt_get_library_version(&mount);

	return json_pack("{s:s, s:s, s:s, s:s}", "libarchive", archive ? archive + 1 : "",
	                 "libmount", mount, "jansson", jansson_version_str(), "libcrypto",
	                 OpenSSL_version(OPENSSL_VERSION_STRING));
}

#endif
