package localpg

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// MinMajor is the oldest major version of PostgreSQL that roompulse runs on.
const MinMajor = 15

// binaries is one installation of the server.
type binaries struct {
	dir     string // holds initdb and postgres
	version string // like "15.18"
	major   int
}

// usualPlaces are the folders of the server's programs that installers do not put on PATH.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // Fedora and RHEL, from postgresql.org
	"/usr/lib/postgresql*/bin",                           // SUSE
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/Library/PostgreSQL/*/bin",                          // EDB's installer
	"/opt/local/lib/postgresql*/bin",                     // MacPorts
}

// searchDirs lists the folders to look for PostgreSQL's programs in: PATH, then the usual places, newest version first.
func searchDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	var usual []string
	for _, pattern := range usualPlaces {
		found, _ := filepath.Glob(pattern) // its only error is a bad pattern
		usual = append(usual, found...)
	}
	slices.SortStableFunc(usual, func(a, b string) int { return cmp.Compare(lastNumber(b), lastNumber(a)) })
	return append(dirs, usual...)
}

var number = regexp.MustCompile(`\d+`)

func lastNumber(path string) int {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

// InstalledMajor returns the major version of PostgreSQL that a new server would have.
func InstalledMajor(ctx context.Context) (int, error) {
	bin, err := findBinaries(ctx, searchDirs(), 0)
	return bin.major, err
}

// findBinaries returns the first installation in dirs that is new enough and has the major version; 0 stands for any.
func findBinaries(ctx context.Context, dirs []string, major int) (binaries, error) {
	var others []string
	seen := make(map[string]bool)
	for _, dir := range dirs {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || seen[program] || !isExecutable(program) || !isExecutable(filepath.Join(dir, "initdb")) {
			continue
		}
		seen[program] = true
		found, err := readVersion(ctx, dir)
		if ctx.Err() != nil {
			return binaries{}, fmt.Errorf("look for PostgreSQL: %w", context.Cause(ctx))
		}
		switch {
		case err != nil:
			others = append(others, fmt.Sprintf("%s (%v)", dir, err))
		case found.major >= MinMajor && (major == 0 || major == found.major):
			return found, nil
		default:
			others = append(others, fmt.Sprintf("%s (%s)", dir, found.version))
		}
	}
	return binaries{}, &missingError{major: major, passedOver: others}
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[^\s]*)`)

// readVersion asks the server program in dir for its version.
func readVersion(ctx context.Context, dir string) (binaries, error) {
	answer, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // found on PATH or in a system folder
	if err != nil {
		return binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	match := versionLine.FindStringSubmatch(string(answer))
	if match == nil {
		return binaries{}, fmt.Errorf("postgres --version answered %q", strings.TrimSpace(string(answer)))
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	return binaries{dir: dir, version: match[1], major: major}, nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// missingError says that no installation fits, and how to get one.
type missingError struct {
	major      int      // wanted; 0: any from MinMajor on
	passedOver []string // installations of other versions
}

func (e *missingError) Error() string {
	var text strings.Builder
	if e.major == 0 {
		fmt.Fprintf(&text, "the server programs of PostgreSQL %d or newer are not installed", MinMajor)
	} else {
		fmt.Fprintf(&text, "the server programs of PostgreSQL %d are not installed", e.major)
	}
	if len(e.passedOver) > 0 {
		fmt.Fprintf(&text, " (passed over: %s)", strings.Join(e.passedOver, ", "))
	}
	text.WriteString(": install them" + installHint(e.major))
	if e.major == 0 {
		text.WriteString(", or set DATABASE_URL to a server that you have")
	}
	return text.String()
}

// installHint ends a sentence that says what to install.
func installHint(major int) string {
	if command := installCommand(runtime.GOOS, osRelease(), major); command != "" {
		return " with `" + command + "`"
	}
	return " (https://www.postgresql.org/download/)"
}

// osRelease returns what the system says about itself, "" if nothing.
func osRelease() string {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if text, err := os.ReadFile(path); err == nil {
			return string(text)
		}
	}
	return ""
}

// installCommand returns the command that installs PostgreSQL's server programs on a system, "" if that is not known.
// Major 0 stands for the version that the system prefers.
func installCommand(goos, release string, major int) string {
	version := ""
	if major != 0 {
		version = strconv.Itoa(major)
	}
	if goos == "darwin" {
		return "brew install postgresql@" + cmp.Or(version, "17")
	}
	if goos != "linux" {
		return ""
	}
	facts := make(map[string]string)
	for line := range strings.Lines(release) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			facts[key] = strings.Trim(value, `"'`)
		}
	}
	command := ""
	for _, system := range append([]string{facts["ID"]}, strings.Fields(facts["ID_LIKE"])...) {
		switch system {
		case "debian", "ubuntu":
			command = "apt-get install postgresql"
			if version != "" {
				command += "-" + version
			}
		case "alpine":
			command = "apk add postgresql" + version
		case "rhel", "centos":
			command = "dnf install postgresql" + version + "-server"
			if release, _, _ := strings.Cut(facts["VERSION_ID"], "."); release == "8" || release == "9" {
				// Their default is older than 15; newer versions are modules.
				command = "dnf module install postgresql:" + cmp.Or(version, "16") + "/server"
			}
		case "fedora":
			command = "dnf install postgresql" + version + "-server"
		case "suse", "opensuse":
			command = "zypper install postgresql" + version + "-server"
		case "arch":
			if version != "" {
				return "" // it has one version at a time
			}
			command = "pacman -S postgresql"
		default:
			continue
		}
		break
	}
	if command != "" && os.Geteuid() != 0 {
		command = "sudo " + command
	}
	return command
}
