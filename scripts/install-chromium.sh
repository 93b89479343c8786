#!/bin/sh
# Installs Chromium for the tests in a browser where it is not there. Debian
# only: Ubuntu's package of that name is a snap. Elsewhere it says what to do.
set -eu

if command -v chromium >/dev/null; then
	exit 0
fi
echo "install-chromium: the tests in a browser need chromium; installing it" >&2
if command -v apt-get >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -q >&2
	# Without a font, screenshots have no text.
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core >&2
else
	echo "install-chromium: no apt-get here: install Chromium by hand, as chromium on the PATH" >&2
	exit 1
fi
chromium --version >&2
