#!/bin/sh
# Installs redis-server for the tests where neither it nor valkey-server is
# there. Debian, Ubuntu and macOS with Homebrew; elsewhere it says what to do.
set -eu

if command -v redis-server >/dev/null || command -v valkey-server >/dev/null; then
	exit 0
fi
echo "install-redis: the tests need redis-server; installing it" >&2
if command -v apt-get >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	# The tests start servers of their own: none should run as a service.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
		$sudo chmod +x $policy
		trap '$sudo rm -f $policy' EXIT
	fi
	$sudo apt-get update -q >&2
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends redis-server >&2
elif command -v brew >/dev/null; then
	brew install redis >&2
else
	echo "install-redis: no apt-get and no brew here: install Redis 6.2 or newer by hand" >&2
	exit 1
fi
redis-server --version >&2
