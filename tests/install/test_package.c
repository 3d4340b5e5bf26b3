// SPDX-License-Identifier: MIT
#include "release.h"

#include <stdlib.h>

/* The Debian packages, made as people make them and installed where nothing of ours is. */

static void packages_hold_what_they_should(void **state)
{
	cleanup_free char *listing = NULL;

	(void)state;
	release_need("dpkg-shlibdeps", "dpkg-dev");
	listing = release_shell("cd " SOURCE " && cpack --preset package >/dev/null && "
	                        "for deb in %s/packages/*.deb; do dpkg-deb --contents $deb; done",
	                        release_build);
	assert_contains(listing, "/usr/bin/ovl2-probe\n");
	assert_contains(listing, "/usr/include/ovl2.h\n");
	assert_contains(listing, "/libovl2.so.0");
	assert_contains(listing, "/libovl2.a\n");
	assert_contains(listing, "/man1/ovl2-report.1.gz\n");
	assert_contains(listing, "/doc/libovl2-0/copyright\n");
	assert_contains(listing, "/doc/libovl2-dev/copyright\n");
	assert_contains(listing, "/doc/ovl2/copyright\n");
	assert_contains(listing, "/bash-completion/completions/ovl2\n");
}

/* So that dpkg-shlibdeps finds what a program of somebody else's depends on. */
static void library_says_what_users_of_it_need(void **state)
{
	cleanup_free char *shlibs = NULL;

	(void)state;
	release_need("dpkg-shlibdeps", "dpkg-dev");
	shlibs = release_shell("cd " SOURCE " && cpack --preset package >/dev/null && "
	                       "dpkg-deb --info %s/packages/libovl2-0_*.deb shlibs",
	                       release_build);
	assert_contains(shlibs, "libovl2 0 libovl2-0 (>= 0.");
}

/* A Debian with nothing but its base: apt finds all that the programs need. */
static void packages_work_in_a_clean_root(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *said = NULL;

	release_need("debootstrap", "debootstrap");
	said = release_shell(
		"cd '%s' && (cd " SOURCE " && cpack --preset package >/dev/null)\n"
		"site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)\n"
		"debootstrap --variant=minbase bookworm root \"${site%%/}\" >log 2>&1 || "
		"{ tail -n 5 log; exit 1; }\n"
		"cp %s/packages/*.deb root/tmp/ && cp /etc/resolv.conf root/etc/\n"
		"cp /etc/apt/apt.conf.d/* root/etc/apt/apt.conf.d/ 2>/dev/null || :\n"
		"mount -t proc proc root/proc\n"
		"chroot root sh -ec 'export DEBIAN_FRONTEND=noninteractive LD_LIBRARY_PATH=\n"
		"  PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
		"  apt-get -qq update\n"
		"  apt-get -qq install --yes --no-install-recommends /tmp/libovl2-0_*.deb "
		"/tmp/ovl2_*.deb\n"
		"  ovl2 --version; ovl2 probe list | wc -l; ovl2 report --version' >log 2>&1 || "
		"{ tail -n 5 log; exit 1; }\n"
		"tail -n 3 log",
		place->path, release_build);
	assert_contains(said, "ovl2 0.");
	assert_contains(said, "ovl2-report 0.");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_hold_what_they_should),
		cmocka_unit_test(library_says_what_users_of_it_need),
		cmocka_unit_test(packages_work_in_a_clean_root),
	};
	int r;

	test_enter_namespace();
	r = test_run("package", tests, ARRAY_SIZE(tests), argc, argv);
	release_remove();

	return r;
}
