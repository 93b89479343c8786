#!/bin/sh
# Installs Spin and a C compiler for the model of the near cache where they are
# not there. Debian, Ubuntu and macOS with Homebrew; elsewhere it says what to do.
set -eu

if command -v spin >/dev/null && command -v "${CC:-cc}" >/dev/null; then
	exit 0
fi
echo "install-spin: the model needs spin and a C compiler; installing what is missing" >&2
packages=
command -v spin >/dev/null || packages=spin
if command -v apt-get >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	command -v "${CC:-cc}" >/dev/null || packages="$packages gcc libc6-dev"
	$sudo apt-get update -q >&2
	# shellcheck disable=SC2086 # one word a package
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages >&2
elif command -v brew >/dev/null; then
	command -v "${CC:-cc}" >/dev/null || packages="$packages gcc"
	# shellcheck disable=SC2086
	brew install $packages >&2
else
	echo "install-spin: no apt-get and no brew here: install Spin 6.5 or newer and a C compiler by hand" >&2
	exit 1
fi
spin -V >&2
