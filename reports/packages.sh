# shellcheck shell=sh disable=SC2034 # used by the scripts that source this
# SPDX-License-Identifier: MIT
#
# The Debian and Ubuntu packages that ovl2 needs, in one place. Sourced by
# reports/qualify and tests/run; does nothing by itself.

# To build the library and the programs.
OVL2_BUILD_PACKAGES="cmake ninja-build pkg-config gcc libc6-dev
	libarchive-dev zlib1g-dev libmount-dev libjansson-dev libsmartcols-dev libssl-dev"

# What the programs call when they run: filesystems and a clock for benchmarks, plots.
OVL2_RUN_PACKAGES="e2fsprogs xfsprogs gnuplot-nox hyperfine"

# To build and run the tests and the linters besides.
OVL2_TEST_PACKAGES="
	abigail-tools
	ansible-core
	bash-completion
	btrfs-progs
	busybox-static
	clang
	clang-format
	clang-tidy
	cmark-gfm
	debootstrap
	dpkg-dev
	erofs-utils
	fuse-overlayfs
	g++
	gcc-aarch64-linux-gnu
	iproute2
	jq
	libarchive-tools
	libc6-dev-arm64-cross
	libclang-rt-14-dev
	libcmocka-dev
	libxml2-utils
	man-db
	mandoc
	openssh-client
	openssh-server
	prometheus
	prometheus-node-exporter
	python3-jsonschema
	python3-prometheus-client
	python3-yaml
	qemu-system-arm
	qemu-system-common
	qemu-system-x86
	qemu-user
	shellcheck
	systemd
	uidmap
	valgrind
	xz-utils
	zsh
"

# ovl2_install PACKAGE...
#
# Installs those that are not there yet. Where there is no apt-get it names them
# and goes on: what is really missing is then said by the build.
ovl2_install() {
	ovl2_missing=
	if ! command -v apt-get >/dev/null; then
		echo "no apt-get here; make sure that the equivalents of these are installed: $*" >&2
		return 0
	fi

	for ovl2_package; do
		# shellcheck disable=SC2016 # the dollar is dpkg-query's
		case $(dpkg-query -W -f '${db:Status-Status}' "$ovl2_package" 2>/dev/null) in
		installed) ;;
		*) ovl2_missing="$ovl2_missing $ovl2_package" ;;
		esac
	done
	[ -n "$ovl2_missing" ] || return 0

	echo "installing:$ovl2_missing"
	apt-get -qq update </dev/null || return 1
	# Unquoted: a list of names.
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends $ovl2_missing \
		</dev/null >/dev/null
}
