// SPDX-License-Identifier: MIT
#include "tar.h"

#include "test.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* POSIX.1-1988 ustar. */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char rest[12];
};

_Static_assert(sizeof(struct header) == TEST_TAR_BLOCK, "a header is one block");

/* ----------------------------------------------------------------- write -- */

static void pad(struct test_tar *tar)
{
	static const char zeroes[TEST_TAR_BLOCK];
	size_t over = tar->bytes.length % TEST_TAR_BLOCK;

	if (over)
		ovi_strbuf_add_bytes(&tar->bytes, zeroes, TEST_TAR_BLOCK - over);
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	char text[32];
	int length =
		snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)value);

	/* What does not fit is written as base-256, which GNU tar began. */
	if ((size_t)length < size) {
		memcpy(field, text, size);
		return;
	}
	memset(field, 0, size);
	for (size_t i = size; i-- > 1 && value; value >>= 8)
		field[i] = (char)(value & 0xff);
	field[0] = '\200';
}

static void put_text(char *field, size_t size, const char *text)
{
	if (text)
		memcpy(field, text, strnlen(text, size));
}

static void put_checksum(struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned int sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	(void)snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

static void add_record(struct ovi_strbuf *records, const char *record)
{
	/* The length counts its own digits. */
	size_t length = strlen(record) + 2;
	size_t total = length + 1;

	while ((size_t)snprintf(NULL, 0, "%zu", total) + length != total)
		total++;
	ovi_strbuf_addf(records, "%zu %s\n", total, record);
}

void test_tar_add_pax(struct test_tar *tar, char type, const char *records, size_t length)
{
	const struct test_tar_entry entry = {
		.name = "././@PaxHeader",
		.type = type,
		.content = records,
		.content_length = length,
	};

	test_tar_add(tar, &entry);
}

static void add_pax(struct test_tar *tar, const char *const *records)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	for (size_t i = 0; records[i]; i++)
		add_record(&text, records[i]);
	test_tar_add_pax(tar, 'x', text.text, text.length);
}

void test_tar_add(struct test_tar *tar, const struct test_tar_entry *entry)
{
	size_t length = entry->content_length;
	struct header header = { 0 };

	if (!length && entry->content)
		length = strlen(entry->content);
	if (entry->pax)
		add_pax(tar, entry->pax);

	put_text(header.name, sizeof(header.name), entry->name);
	put_text(header.link, sizeof(header.link), entry->link);
	put_octal(header.mode, sizeof(header.mode),
	          entry->mode          ? entry->mode
	          : entry->type == '5' ? 0755
	                               : 0644);
	put_octal(header.uid, sizeof(header.uid), entry->uid);
	put_octal(header.gid, sizeof(header.gid), entry->gid);
	put_octal(header.size, sizeof(header.size), length);
	if (entry->size)
		put_text(header.size, sizeof(header.size), entry->size);
	put_octal(header.mtime, sizeof(header.mtime), (uint64_t)entry->mtime);
	put_octal(header.device_major, sizeof(header.device_major), entry->device_major);
	put_octal(header.device_minor, sizeof(header.device_minor), entry->device_minor);
	header.type = '0';
	if (entry->type)
		header.type = entry->type;
	memcpy(header.magic, "ustar", sizeof(header.magic));
	memcpy(header.version, "00", sizeof(header.version));
	put_checksum(&header);

	ovi_strbuf_add_bytes(&tar->bytes, &header, sizeof(header));
	if (length)
		ovi_strbuf_add_bytes(&tar->bytes, entry->content, length);
	pad(tar);
}

void test_tar_add_bytes(struct test_tar *tar, const void *bytes, size_t length)
{
	ovi_strbuf_add_bytes(&tar->bytes, bytes, length);
}

void test_tar_end(struct test_tar *tar)
{
	static const char zeroes[2 * TEST_TAR_BLOCK];

	ovi_strbuf_add_bytes(&tar->bytes, zeroes, sizeof(zeroes));
}

void test_tar_release(struct test_tar *tar)
{
	ovi_strbuf_release(&tar->bytes);
}

/* ----------------------------------------------------------------- files -- */

int test_sink_open(void)
{
	int fd = memfd_create("sink", MFD_CLOEXEC);

	if (fd < 0)
		fail_msg("memfd_create: %s", strerror(errno));

	return fd;
}

int test_bytes_open(const void *bytes, size_t length)
{
	int fd = test_sink_open();

	if (length)
		assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);

	return fd;
}

int test_tar_open(const struct test_tar *tar)
{
	assert_false(ovi_strbuf_failed(&tar->bytes));
	return test_bytes_open(tar->bytes.text, tar->bytes.length);
}

char *test_sink_read(int fd, size_t *ret_length)
{
	struct stat status;
	char *bytes;

	assert_sys(fstat(fd, &status));
	bytes = calloc(1, (size_t)status.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t)status.st_size, 0), status.st_size);
	*ret_length = (size_t)status.st_size;

	return bytes;
}

int test_compress(int fd, const char *filter)
{
	struct archive *writer = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	int compressed = test_sink_open();
	cleanup_free char *bytes = NULL;
	size_t length;

	bytes = test_sink_read(fd, &length);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_set_format_raw(writer);
	if (archive_write_add_filter_by_name(writer, filter) != ARCHIVE_OK ||
	    archive_write_open_fd(writer, compressed) != ARCHIVE_OK ||
	    archive_write_header(writer, entry) != ARCHIVE_OK ||
	    archive_write_data(writer, bytes, length) != (la_ssize_t)length ||
	    archive_write_close(writer) != ARCHIVE_OK)
		fail_msg("compress by %s: %s", filter, archive_error_string(writer));
	archive_entry_free(entry);
	archive_write_free(writer);
	assert_sys(lseek(compressed, 0, SEEK_SET));

	return compressed;
}

/* ------------------------------------------------------------------ list -- */

static char entry_letter(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return 'h';
	switch (archive_entry_filetype(entry)) {
	case AE_IFDIR:
		return 'd';
	case AE_IFREG:
		return 'f';
	case AE_IFLNK:
		return 'l';
	case AE_IFCHR:
		return 'c';
	case AE_IFBLK:
		return 'b';
	case AE_IFIFO:
		return 'p';
	default:
		return '?';
	}
}

static void list_xattrs(struct ovi_strbuf *text, struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
		ovi_strbuf_addf(text, " %s=%.*s", name, (int)size, (const char *)value);
}

static void list_entry(struct ovi_strbuf *text, struct archive_entry *entry, int only_names)
{
	ovi_strbuf_addf(text, "%c", entry_letter(entry));
	if (!only_names) {
		ovi_strbuf_addf(
			text, " %04o %jd:%jd %jd.%09ld", archive_entry_perm(entry),
			(intmax_t)archive_entry_uid(entry), (intmax_t)archive_entry_gid(entry),
			(intmax_t)archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
		if (archive_entry_filetype(entry) == AE_IFREG)
			ovi_strbuf_addf(text, " %jd", (intmax_t)archive_entry_size(entry));
	}
	ovi_strbuf_addf(text, " %s", archive_entry_pathname(entry));
	if (archive_entry_symlink(entry))
		ovi_strbuf_addf(text, " -> %s", archive_entry_symlink(entry));
	if (archive_entry_hardlink(entry))
		ovi_strbuf_addf(text, " = %s", archive_entry_hardlink(entry));
	if (!only_names)
		list_xattrs(text, entry);
	ovi_strbuf_add(text, "\n");
}

static char *list(int fd, int only_names)
{
	struct archive *reader = archive_read_new();
	struct ovi_strbuf text = { 0 };
	struct archive_entry *entry;
	int r;

	assert_non_null(reader);
	assert_sys(lseek(fd, 0, SEEK_SET));
	archive_read_support_format_tar(reader);
	if (archive_read_open_fd(reader, fd, 65536) != ARCHIVE_OK)
		fail_msg("read the archive: %s", archive_error_string(reader));
	ovi_strbuf_add(&text, "");
	while ((r = archive_read_next_header(reader, &entry)) == ARCHIVE_OK)
		list_entry(&text, entry, only_names);
	if (r != ARCHIVE_EOF)
		fail_msg("read the archive: %s", archive_error_string(reader));
	archive_read_free(reader);

	return ovi_strbuf_steal(&text);
}

char *test_tar_list(int fd)
{
	return list(fd, 0);
}

char *test_tar_list_names(int fd)
{
	return list(fd, 1);
}
