#!/bin/sh
# Makes sure that PostgreSQL's server programs are on this machine: tests and the demo run a private server with
# them. On Debian and Ubuntu they are installed when they are missing and this user may do that (root, or sudo
# without a password); otherwise it says which command to run. No server is started and no cluster is made.
set -eu

oldest=15 # localpg.MinMajor

say() { echo "ensure-postgres: $*" >&2; }

die() {
	say "$@"
	exit 1
}

# major DIR prints the major version of the server programs in DIR, or nothing.
major() {
	[ -x "$1/initdb" ] || return 0
	"$1/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p'
}

# present succeeds if there is a new enough server where internal/localpg looks for one (binaries.go has the reasons).
present() {
	initdb=$(command -v initdb) || initdb=/nowhere/initdb
	for dir in \
		"${initdb%/*}" \
		/usr/lib/postgresql/*/bin \
		/usr/pgsql-*/bin \
		/usr/lib/postgresql*/bin \
		/usr/libexec/postgresql* \
		/opt/homebrew/opt/postgresql*/bin \
		/usr/local/opt/postgresql*/bin \
		/home/linuxbrew/.linuxbrew/opt/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin \
		/Library/PostgreSQL/*/bin \
		/opt/local/lib/postgresql*/bin; do
		version=$(major "$dir")
		[ "${version:-0}" -lt "$oldest" ] || return 0
	done
	return 1
}

! present || exit 0

if ! command -v apt-get >/dev/null; then
	case $(uname -s) in
	Darwin) how='run: brew install postgresql@18' ;;
	*) how='install the server package of your system (with initdb and postgres), often named postgresql-server' ;;
	esac
	die "PostgreSQL $oldest or newer is needed; $how"
fi

if [ "$(id -u)" -eq 0 ]; then
	root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	root='sudo -n'
else
	die "PostgreSQL $oldest or newer is needed; run: sudo sh $0"
fi

log=$(mktemp)
# Debian's package makes a cluster named main and starts it when it is installed for the first time, never later. The
# least that prevents it is a file in this folder, which is taken away when the package is in.
conf=/etc/postgresql-common/createcluster.d/roompulse.conf
trap '$root rm -f "$conf" "$log"' EXIT
trap 'exit 1' HUP INT TERM

# apt ARGUMENT... runs apt-get and shows what it printed if it fails.
apt() {
	$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || {
		cat "$log" >&2
		return 1
	}
}

say "PostgreSQL $oldest or newer is not here; asking apt-get for it"
# One source that does not answer must not stop us: what we need may be there all the same.
apt update || say "apt-get update failed; going on with the lists of packages that are here"
version=$(apt-cache pkgnames postgresql- | sed -n 's/^postgresql-\([0-9]*\)$/\1/p' | sort -n | tail -n 1)
[ "${version:-0}" -ge "$oldest" ] || die "the packages known here end at postgresql-${version:-(none)}, and $oldest or newer is needed; \
add those of the PostgreSQL project with:
  sudo apt-get install -y postgresql-common && sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y"

say "installing postgresql-$version"
$root mkdir -p "${conf%/*}"
echo 'create_main_cluster = false' | $root tee "$conf" >/dev/null
apt install -y --no-install-recommends "postgresql-$version" || die "cannot install postgresql-$version"
present || die "postgresql-$version is installed, but its programs are not in /usr/lib/postgresql/$version/bin"
