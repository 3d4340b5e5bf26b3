# shellcheck shell=sh # sourced by tests that build or run programs for arm64
# SPDX-License-Identifier: MIT
#
# Debian's packages for arm64, beside the machine's own, which stay as they are, as do the
# architectures it takes packages for.

# arm64_packages DIR: from here on apt knows arm64, and keeps what it fetches below DIR.
arm64_packages()
{
	arm64_home=$1
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	cat >"$1/apt.conf" <<END
#clear APT::Architectures;
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
END
	export APT_CONFIG="$1/apt.conf"
}

# arm64_unpack PACKAGE DIR: fetches the package and unpacks it there, whole or not at all.
arm64_unpack()
{
	(
		cd "$arm64_home" && rm -rf "$1"_*_arm64.deb "$2.new" && apt-get -qq update &&
			apt-get -qq download "$1:arm64" && dpkg-deb -x "$1"_*_arm64.deb "$2.new" &&
			mv -T "$2.new" "$2"
	) </dev/null >&2
}
