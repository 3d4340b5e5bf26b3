// SPDX-License-Identifier: MIT
#include "driver/corpus.h"

#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * fuzz-seeds DIR: writes every tar of the corpus that is small enough into DIR, for
 * the fuzzers to begin with.
 */

#define MAX_SEED_BYTES 65536

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 64;
	}
	if (mkdir(argv[1], 0755) < 0 && errno != EEXIST) {
		perror(argv[1]);
		return 1;
	}

	for (size_t i = 0; corpus_row(i); i++) {
		cleanup_free char *path = test_path("%s/%03zu.tar", argv[1], i);
		cleanup_tar struct test_tar tar = { 0 };
		FILE *file;

		corpus_build(corpus_row(i), "/victim", &tar);
		if (tar.bytes.length > MAX_SEED_BYTES)
			continue;
		file = fopen(path, "we");
		if (!file ||
		    (tar.bytes.length && fwrite(tar.bytes.text, tar.bytes.length, 1, file) != 1)) {
			perror(path);
			return 1;
		}
		if (fclose(file) != 0) {
			perror(path);
			return 1;
		}
	}

	return 0;
}
