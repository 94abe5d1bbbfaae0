#!/bin/sh
# Makes sure that Chromium or Chrome is on this machine: tests look at the HTML report with it. On Debian and Ubuntu it
# is installed when it is missing and this user may do that (root, or sudo without a password); otherwise it says
# which command to run.
set -eu

say() { echo "ensure-chromium: $*" >&2; }

die() {
	say "$@"
	exit 1
}

# present succeeds if there is a browser where internal/testkit/browser looks for one.
present() {
	[ -z "${ROOMPULSE_TEST_CHROMIUM:-}" ] || return 0
	for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
		"/Applications/Chromium.app/Contents/MacOS/Chromium" \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
		! command -v "$name" >/dev/null || return 0
	done
	return 1
}

! present || exit 0

if ! command -v apt-get >/dev/null; then
	die "tests of the HTML report need Chromium or Chrome; install one, or name it in ROOMPULSE_TEST_CHROMIUM"
fi

if [ "$(id -u)" -eq 0 ]; then
	root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	root='sudo -n'
else
	die "tests of the HTML report need Chromium; run: sudo sh $0"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

# apt ARGUMENT... runs apt-get and shows what it printed if it fails.
apt() {
	$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || {
		cat "$log" >&2
		return 1
	}
}

say "Chromium is not here; asking apt-get for it"
# One source that does not answer must not stop us: what we need may be there all the same.
apt update || say "apt-get update failed; going on with the lists of packages that are here"
apt install -y --no-install-recommends chromium || die "cannot install chromium"
present || die "chromium is installed, but not on the PATH"
