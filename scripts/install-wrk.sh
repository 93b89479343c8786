#!/bin/sh
# Installs wrk, which puts the sites of the comparison under load, where it is not
# there. Debian, Ubuntu and macOS with Homebrew; elsewhere it says what to do.
set -eu

if command -v wrk >/dev/null; then
	exit 0
fi
echo "install-wrk: the comparison needs wrk; installing it" >&2
if command -v apt-get >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -q >&2
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends wrk >&2
elif command -v brew >/dev/null; then
	brew install wrk >&2
else
	echo "install-wrk: no apt-get and no brew here: install wrk 4 by hand" >&2
	exit 1
fi
command -v wrk >&2
