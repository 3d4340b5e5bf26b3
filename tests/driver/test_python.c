// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/*
 * A diff as another reader has it, which shares nothing with libarchive or the driver:
 * Python's tarfile. It says of each entry what the layer shows of it.
 */

/* In the words of test_tree_describe(). argv[1]: the tar. */
static const char script[] =
	"import os, sys, tarfile\n"
	"def fnv(data):\n"
	"    h = 0xcbf29ce484222325\n"
	"    for b in data:\n"
	"        h = ((h ^ b) * 0x100000001b3) & (2**64 - 1)\n"
	"    return '%016x' % h\n"
	"def time(m):\n"
	"    whole, _, part = m.pax_headers.get('mtime', str(int(m.mtime))).partition('.')\n"
	"    return whole + '.' + part.ljust(9, '0')\n"
	"def escape(value):\n"
	"    return ''.join(chr(b) if 32 < b <= 126 else '\\\\%03o' % b\n"
	"                   for b in value.encode('utf-8', 'surrogateescape'))\n"
	"def describe(tar, name, m):\n"
	"    of = m\n"
	"    while of.islnk():\n"
	"        of = tar.getmember(of.linkname)\n"
	"    kind = {tarfile.REGTYPE: 'f', tarfile.DIRTYPE: 'd', tarfile.SYMTYPE: 'l',\n"
	"            tarfile.CHRTYPE: 'c', tarfile.BLKTYPE: 'b', tarfile.FIFOTYPE: 'p'}[of.type]\n"
	"    line = '%s %04o %d:%d %s' % (kind, of.mode, of.uid, of.gid, time(of))\n"
	"    if kind == 'f':\n"
	"        line += ' %d %s' % (of.size, fnv(tar.extractfile(of).read()))\n"
	"    if kind in 'cb':\n"
	"        line += ' %d:%d' % (of.devmajor, of.devminor)\n"
	"    for key in sorted(k for k in of.pax_headers if k.startswith('SCHILY.xattr.')):\n"
	"        line += ' %s=%s' % (key[13:], escape(of.pax_headers[key]))\n"
	"    line += ' ' + name\n"
	"    if kind == 'l':\n"
	"        line += ' -> ' + of.linkname\n"
	"    if m.islnk():\n"
	"        line += ' is:' + os.path.normpath(m.linkname)\n"
	"    return line + '\\n'\n"
	"with tarfile.open(sys.argv[1], 'r:', encoding='utf-8',\n"
	"                  errors='surrogateescape') as tar:\n"
	"    members = [(os.path.normpath(m.name), m) for m in tar]\n"
	"    members.sort(key=lambda pair: os.fsencode(pair[0]).split(b'/'))\n"
	"    for name, m in members:\n"
	"        if name != '.':\n"
	"            line = describe(tar, name, m)\n"
	"            sys.stdout.buffer.write(line.encode('utf-8', 'surrogateescape'))\n";

#define LONG "a name that is longer than the hundred bytes that a header of the year 1988 has "

static const struct test_entry entries[] = {
	{ 'd', "d", NULL, 01777, 1, 2, 1000000000, NULL },
	{ 'f', "d/file", "text", 0640, 3000000, 4000000, 0, NULL },
	{ 'f', "d/set-id", "#!", 06755, 0, 7, 1700000000, NULL },
	{ 'h', "e", "d/file", 0, 0, 0, 0, NULL },
	{ 'l', "link", "../target", 0, 5, 6, 0, NULL },
	{ 'c', "null", "1:3", 0666, 0, 0, 0, NULL },
	{ 'b', "disk", "259:262143", 0600, 0, 6, 0, NULL },
	{ 'p', "pipe", NULL, 0600, 0, 0, 0, NULL },
	{ 'f', "owned", NULL, 0, 4294967294, 4294967294, 0, NULL },
	{ 'f', "old", "1969", 0, 0, 0, -1, NULL },
	{ 'f', "\xc3\xa9\xff\x01", "bytes", 0, 0, 0, 0, NULL },
	{ 'd', LONG LONG, NULL, 0, 0, 0, 0, NULL },
	{ 'l', LONG LONG "/" LONG, LONG LONG LONG, 0, 0, 0, 0, NULL },
};

static const struct test_entry attributes[] = {
	{ 'f', "with", "x", 0, 0, 0, 0, "user.key=value" },
	{ 'd', "with too", NULL, 0, 0, 0, 0, "user.other=1 2=3" },
};

/* CAP_NET_RAW: bytes that are no text. */
static void make_capable(const char *upper)
{
	const struct vfs_cap_data capability = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = 1 << 13 } },
	};
	cleanup_free char *path = test_path("%s/d/set-id", upper);

	assert_sys(setxattr(path, XATTR_NAME_CAPS, &capability, sizeof(capability), 0));
}

static void python_reads_what_the_layer_shows(void **state)
{
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *tar = test_path("%s/layer.tar", place->path);
	const char *const argv[] = { "python3", "-c", script, tar, NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *expected = NULL;
	cleanup_free char *upper = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	create_layer(store, "layer", NULL);
	change_layer(store, "layer", entries, ARRAY_SIZE(entries));
	upper = layer_fact(store, "layer", "UpperDir");
	make_capable(upper);
	if (test_has_attributes(upper))
		change_layer(store, "layer", attributes, ARRAY_SIZE(attributes));
	expected = describe_layer(store, "layer", TEST_TREE_LINKS);
	fd = open(tar, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_sys(fd);
	assert_ok(ovl2_layer_diff(store, "layer", NULL, fd, &err), &err);

	output = test_spawn(argv);
	if (output.status == 127)
		test_skip("there is no python3");
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	test_text_assert_same(expected, output.out, "layer and tarfile");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(python_reads_what_the_layer_shows),
	};

	test_enter_namespace();
	return test_run_everywhere("python", tests, ARRAY_SIZE(tests), argc, argv);
}
