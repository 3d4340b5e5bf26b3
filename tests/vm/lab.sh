# shellcheck shell=sh disable=SC2034,SC2154 # shared with the scripts that source this
# SPDX-License-Identifier: MIT
#
# The kernel lab: Debian's kernels in QEMU, with our programs on a disk. Sourced by
# tests/vm/run and tests/vm/powercut, which set `lab_top` to the top of the tree and
# `lab_name` to what their messages begin with.
#
# Nothing is installed and nothing needs the network but the first fetch of a kernel.
# QEMU emulates (TCG), so that the lab works where there is no KVM, inside another
# virtual machine for one.

lab_home=$lab_top/.build/vm
lab_build=$lab_top/.build/lab

# Exit code of a test that could not be made here, as CTest and automake have it.
LAB_SKIPPED=77

# What is tried in turn by --all: series of Debian kernels, plain and for clouds.
LAB_KERNELS="6.1 6.1-cloud 6.12 6.12-cloud"

lab_say()
{
	echo "$lab_name: $*" >&2
}

lab_die()
{
	lab_say "$@"
	exit 1
}

lab_skip()
{
	echo "skipped: $*"
	exit "$LAB_SKIPPED"
}

# Ends with "skipped" where the lab cannot be.
lab_check_machine()
{
	[ "$(uname -m)" = x86_64 ] || lab_skip "the kernel lab knows x86_64 only"
	for lab_program in qemu-system-x86_64 apt-get dpkg-deb mke2fs mkfs.xfs xz; do
		command -v "$lab_program" >/dev/null || lab_skip "$lab_program is not installed"
	done
	if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then
		lab_skip "busybox-static is not installed"
	fi
}

# Builds our programs without sanitizers, which emulation would make too slow.
lab_build_programs()
{
	(cd "$lab_top" && cmake --preset lab && cmake --build --preset lab -- -j 2) \
		>"$lab_scratch/build.log" 2>&1 && return 0
	cat "$lab_scratch/build.log" >&2
	lab_die "the programs could not be built"
}

# --------------------------------------------------------------------- kernels --

lab_search_package()
{
	case $1 in
	*-cloud) lab_flavour=cloud-amd64 ;;
	*-arm64) lab_flavour=arm64 ;;
	*) lab_flavour=amd64 ;;
	esac
	lab_series=$(printf %s "${1%-*}" | sed 's/\./\\./g')
	apt-cache search --names-only "^linux-image-$lab_series\\.[0-9].*-$lab_flavour\$" |
		awk '{ print $1 }' | grep -E "^linux-image-[0-9.]+(\+deb[0-9]+|-[0-9]+)*-$lab_flavour\$" |
		sort -V | tail -n 1
}

# lab_find_package SERIES prints the newest package of a series: "6.12-cloud".
lab_find_package()
{
	lab_package=$(lab_search_package "$1")
	if [ -z "$lab_package" ]; then
		apt-get -qq update </dev/null >&2 || true
		lab_package=$(lab_search_package "$1")
	fi
	printf %s "$lab_package"
}

# The directories of a kernel package that the lab loads modules from.
LAB_MODULES="arch/x86/crypto arch/arm64/crypto crypto drivers/block drivers/char drivers/virtio fs lib"

# Of the guest's architecture.
lab_busybox=/bin/busybox

# lab_unpack DEB DIR: kernel and initramfs, with the modules that the lab needs.
lab_unpack()
{
	mkdir -p "$2/root"
	lab_members=
	for lab_directory in $LAB_MODULES; do
		lab_members="$lab_members ./lib/modules/*/kernel/$lab_directory/*"
	done
	# Patterns for tar, one a word.
	set -f
	# shellcheck disable=SC2086
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2/root" --wildcards './boot/vmlinuz-*' \
		./lib/modules/*/modules.builtin ./lib/modules/*/modules.order $lab_members \
		2>/dev/null || true
	set +f
	set -- "$1" "$2" "$(basename "$2"/root/lib/modules/*)"
	[ -f "$2/root/boot/vmlinuz-$3" ] || lab_die "there is no kernel in '$1'"
	mv "$2/root/boot/vmlinuz-$3" "$2/vmlinuz"

	# busybox's depmod wants to see what is inside.
	find "$2/root/lib/modules" -name '*.ko.xz' -exec xz -d {} +
	/bin/busybox depmod -b "$2/root" "$3"
	mkdir -p "$2/root/bin" "$2/root/sbin" "$2/root/new"
	cp "$lab_busybox" "$2/root/bin/busybox"
	ln -s busybox "$2/root/bin/sh"
	ln -s ../bin/busybox "$2/root/sbin/modprobe"
	cp "$lab_top/tests/vm/init" "$2/root/init"
	(cd "$2/root" && find . | /bin/busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$2/initramfs"
	rm -rf "$2/root"
}

# lab_take_kernel SERIES: the newest of "6.1", "6.12-cloud", ... or a package, or a
# file of one. Fetched and unpacked once, without installing it. Sets lab_kernel to
# the directory that holds it, and lab_release to its name.
lab_take_kernel()
{
	case $1 in
	*.deb) lab_package=$(basename "$1" .deb) ;;
	linux-image-*) lab_package=$1 ;;
	*) lab_package=$(lab_find_package "$1") ;;
	esac
	[ -n "$lab_package" ] || lab_skip "no package of Linux $1 is to be had from apt"

	lab_release=${lab_package#linux-image-}
	lab_release=${lab_release%%_*}
	lab_kernel=$lab_home/kernels/$lab_release
	[ -z "$(find "$lab_kernel/initramfs" -newer "$lab_top/tests/vm/init" 2>/dev/null)" ] ||
		return 0

	rm -rf "$lab_scratch/kernel" "$lab_scratch"/linux-image-*.deb
	mkdir -p "$lab_scratch/kernel" "$lab_home/kernels"
	if [ "${1%.deb}" = "$1" ]; then
		lab_say "fetching $lab_package"
		(cd "$lab_scratch" && apt-get -qq -o APT::Sandbox::User=root download \
			"$lab_package" </dev/null >&2) ||
			lab_skip "$lab_package cannot be fetched"
		set -- "$lab_scratch"/linux-image-*.deb
	fi
	lab_unpack "$1" "$lab_scratch/kernel"
	rm -rf "$lab_kernel"
	mv "$lab_scratch/kernel" "$lab_kernel"
}

# ----------------------------------------------------------------------- disks --

# lab_put FILE...: onto the system disk, each where it is here, with its libraries.
lab_put()
{
	for lab_file; do
		lab_file=$(command -v "$lab_file") || continue
		mkdir -p "$lab_scratch/root${lab_file%/*}"
		cp -L "$lab_file" "$lab_scratch/root$lab_file"
		echo "$lab_file"
	done | xargs -r ldd 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }
		$1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u >"$lab_scratch/libraries"
	while read -r lab_file; do
		[ -e "$lab_scratch/root$lab_file" ] && continue
		mkdir -p "$lab_scratch/root${lab_file%/*}"
		cp -L "$lab_file" "$lab_scratch/root$lab_file"
	done <"$lab_scratch/libraries"
}

# lab_begin_system: what every system disk has, in lab_root. Disks are made before.
lab_begin_system()
{
	lab_root=$lab_scratch/root
	rm -f "$lab_scratch/system.img" "$lab_scratch/results.img"
	mkdir -p "$lab_root/usr" "$lab_root/etc" "$lab_root/lab"
	for lab_directory in bin sbin lib lib64; do
		mkdir "$lab_root/usr/$lab_directory"
		ln -s "usr/$lab_directory" "$lab_root/$lab_directory"
	done
	for lab_directory in proc sys dev run tmp var var/tmp mnt root scratch; do
		mkdir "$lab_root/$lab_directory"
	done
	for lab_disk in "$lab_scratch"/*.img; do
		mkdir "$lab_root/mnt/$(basename "$lab_disk" .img)"
	done
	cp /etc/os-release /etc/passwd /etc/group "$lab_root/etc/"
	cp "$lab_top/tests/vm/guest" "$lab_top/tests/vm/suite" "$lab_root/lab/"
	printf '%s\n' "$lab_build" >"$lab_root/lab/build"
}

# lab_end_system COMMAND...: makes the disk, with busybox for what is not there yet. Its
# names are asked of the one here, which can run.
lab_end_system()
{
	cp "$lab_busybox" "$lab_root/bin/busybox"
	for lab_program in $(/bin/busybox --list); do
		[ -e "$lab_root/bin/$lab_program" ] || [ -e "$lab_root/sbin/$lab_program" ] ||
			ln -s busybox "$lab_root/bin/$lab_program"
	done
	ln -s ../bin/busybox "$lab_root/sbin/modprobe"

	# The command as the guest's shell will read it.
	for lab_word; do
		printf "'%s' " "$(printf %s "$lab_word" | sed "s/'/'\\\\''/g")"
	done >"$lab_root/lab/command"

	mke2fs -q -t ext4 -O ^has_journal -d "$lab_root" "$lab_scratch/system.img" \
		"$(($(du -sk "$lab_root" | cut -f 1) * 5 / 4 + 8192))k" >/dev/null ||
		lab_die "the system disk could not be made"
	rm -rf "$lab_root"
}

# lab_make_system COMMAND...: the disk the guest runs from, read-only. Our programs
# keep their paths, which some of the tests have inside.
lab_make_system()
{
	lab_begin_system
	# Before busybox, whose programs of the same names can less; its shell knows no others.
	lab_put env find head split setpriv sh mkfs.ext4 mkfs.xfs mkfs.btrfs tar truncate tune2fs /usr/bin/test \
		"$lab_build"/bin/* "$lab_build"/tests/*/test-* "$lab_build"/tests/vm/cut
	mkdir -p "$lab_root$lab_top/tests"
	cp -R "$lab_top/tests/data" "$lab_root$lab_top/tests/"
	lab_end_system "$@"
}

# lab_make_disk TYPE NAME [MKFS-OPTION...]: an empty filesystem, called NAME, which the
# guest mounts on /mnt/NAME. Disks are made before the system's.
lab_make_disk()
{
	lab_type=$1
	lab_label=$2
	shift 2
	rm -f "$lab_scratch/$lab_label.img"
	truncate -s 1G "$lab_scratch/$lab_label.img"
	"mkfs.$lab_type" -q -L "$lab_label" "$@" "$lab_scratch/$lab_label.img" ||
		lab_die "a disk with $lab_type could not be made"
}

# ------------------------------------------------------------------------ boot --

# The guest's machine, and the device of its console.
lab_machine="qemu-system-x86_64 -cpu qemu64,+rdrand"
lab_console=ttyS0

# lab_boot DISK...: starts QEMU in the background, its process in lab_qemu. The guest's
# disks are the system's, one for results, and these; what runs in the guest
# writes to the file `output`, the kernel to `console`.
lab_boot()
{
	truncate -s 64M "$lab_scratch/results.img"
	lab_disks="-drive file=$lab_scratch/system.img,format=raw,if=virtio,readonly=on"
	for lab_disk in results "$@"; do
		lab_disks="$lab_disks -drive file=$lab_scratch/$lab_disk.img,format=raw,if=virtio,cache=unsafe"
	done
	: >"$lab_scratch/output"
	# shellcheck disable=SC2086
	$lab_machine -accel tcg -m 2048 -nodefaults -no-user-config \
		-no-reboot -display none -serial "file:$lab_scratch/console" \
		-kernel "$lab_kernel/vmlinuz" -initrd "$lab_kernel/initramfs" \
		-append "console=$lab_console quiet panic=-1 tsc=unstable random.trust_cpu=on" \
		$lab_disks -device virtio-serial-pci \
		-chardev "file,id=output,path=$lab_scratch/output" \
		-device virtserialport,chardev=output,name=output </dev/null &
	lab_qemu=$!
}

# Ends what is still running and removes what is on disk: for a trap.
lab_leave()
{
	if [ -n "${lab_qemu-}" ]; then
		kill -KILL "$lab_qemu" 2>/dev/null || true
		wait "$lab_qemu" 2>/dev/null || true
		lab_qemu=
	fi
	[ -z "${lab_guard-}" ] || kill "$lab_guard" 2>/dev/null || true
	rm -rf "$lab_scratch"
}

# A scratch directory that is gone however the script ends.
lab_enter()
{
	mkdir -p "$lab_home"
	lab_scratch=$(mktemp -d "$lab_home/scratch-XXXXXX")
	trap lab_leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

# Words of the guest's kernel that no test may cause. Filesystems on loop devices are the
# tests' own, to break.
LAB_ALARMS='BUG:|WARNING:|Oops|Call Trace|general protection|hung_task|EXT4-fs error \(device vd|XFS \(vd.*\): (Corruption|Internal error|Metadata)|blocked for more than'

# lab_check_console: shows what the kernel complained of.
lab_check_console()
{
	if grep -aE "$LAB_ALARMS" "$lab_scratch/console" >&2; then
		lab_say "the kernel complained (above)"
		return 1
	fi
}

# lab_show LIMIT: shows `output` as it grows, until the guest is done or that many seconds
# are over.
lab_show()
{
	tail -n +1 -f --pid="$lab_qemu" -s 0.2 "$lab_scratch/output" &
	lab_follower=$!
	(
		sleep "$1" &
		trap 'kill $!; exit' TERM
		wait
		kill -KILL "$lab_qemu"
	) 2>/dev/null &
	lab_guard=$!
	wait "$lab_qemu" || true
	lab_qemu=
	kill "$lab_guard" 2>/dev/null || true
	wait "$lab_guard" "$lab_follower" 2>/dev/null || true
	lab_guard=
}

# lab_follow LIMIT: as lab_show, and brings the results home. Fails as the command did
# that ran in the guest, if another kernel ran, or if this one complained.
lab_follow()
{
	lab_started=$(date +%s)
	lab_show "$1"
	lab_results=$lab_home/results/$lab_release
	rm -rf "$lab_results"
	mkdir -p "$lab_results"
	tar -x -C "$lab_results" -f "$lab_scratch/results.img" 2>/dev/null || true
	cp "$lab_scratch/output" "$lab_scratch/console" "$lab_results/"
	if [ ! -f "$lab_results/status" ]; then
		tail -n 20 "$lab_scratch/console" >&2
		lab_say "Linux $lab_release: the guest ended without results (console above)"
		return 1
	fi
	if [ "$(cat "$lab_results/release")" != "$lab_release" ]; then
		lab_say "Linux $(cat "$lab_results/release") ran, which is not $lab_release"
		return 1
	fi
	lab_say "Linux $lab_release: exit $(cat "$lab_results/status") after" \
		"$(($(date +%s) - lab_started)) s; results in ${lab_results#"$lab_top/"}"
	lab_check_console && [ "$(cat "$lab_results/status")" -eq 0 ]
}
