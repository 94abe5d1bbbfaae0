package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/localpg/flock"
)

// startEnv makes the test binary start the server in the folder that it names, print the server's pid, and wait for the
// end of its standard input: a roompulse process, as far as this package is concerned.
const startEnv = "LOCALPG_TEST_START"

func TestMain(m *testing.M) {
	dir, ok := os.LookupEnv(startEnv)
	if !ok {
		code := m.Run()
		_ = os.RemoveAll(sampleDir)
		os.Exit(code)
	}
	if err := startAndReport(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func startAndReport(dir string) error {
	ctx := context.Background()
	server, err := New(Config{Dir: dir, Settings: quick})
	if err != nil {
		return err
	}
	if wrapped := filepath.Join(dir, "..", "bin"); isExecutable(filepath.Join(wrapped, "initdb")) {
		server.search = []string{wrapped}
	}
	if err := server.Start(ctx); err != nil {
		return err
	}
	status, err := server.Status(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, status.PID); err != nil {
		return err
	}
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

var quick = map[string]string{"fsync": "off"}

// testDir returns a folder that goes with the test. It differs from t.TempDir's in that root's server, run by the user
// postgres, can enter it.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	chmod(t, dir, 0o755)
	return dir
}

// sampleDir is the folder of a server that has run and was stopped.
var sampleDir string

var makeSample = sync.OnceValue(func() error {
	var err error
	if sampleDir, err = os.MkdirTemp("", "localpg-"); err != nil {
		return err
	}
	if err := os.Chmod(sampleDir, 0o711); err != nil {
		return err
	}
	server, err := New(Config{Dir: sampleDir, Settings: quick})
	if err != nil {
		return err
	}
	return errors.Join(server.Start(context.Background()), server.Stop(context.Background()))
})

// usedServer returns a server that does not run but has data: a copy, since initdb takes ten times as long.
func usedServer(t *testing.T) *Server {
	t.Helper()
	if err := makeSample(); err != nil {
		t.Fatal(err)
	}
	server := newServer(t)
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", sampleDir, server.dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return server
}

// newServer returns a server that has never been started, in a folder of its own.
func newServer(t *testing.T) *Server {
	t.Helper()
	return serverIn(t, filepath.Join(testDir(t), "pg"))
}

func serverIn(t *testing.T, dir string) *Server {
	t.Helper()
	server, err := New(Config{Dir: dir, Settings: quick, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		_ = os.Remove(server.socketDir) // empty after a start that failed
	})
	return server
}

func start(t *testing.T, server *Server) {
	t.Helper()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// refuses fails the test unless Start returns an error with all of the words, and leaves the folder as it was.
func refuses(t *testing.T, server *Server, words ...string) {
	t.Helper()
	before := listing(t, server.data)
	err := server.Start(t.Context())
	if err == nil {
		t.Fatal("Start succeeded")
	}
	t.Logf("message: %v", err)
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message does not say %q", word)
		}
	}
	if after := listing(t, server.data); !maps.Equal(before, after) {
		t.Errorf("the data folder changed: had %v, has %v", before, after)
	}
}

// listing returns the size of each file below dir.
func listing(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	files := make(map[string]int64)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil
			}
			return err
		}
		info, err := entry.Info()
		files[path] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func status(t *testing.T, server *Server) Status {
	t.Helper()
	status, err := server.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// query returns the one value of a query.
func query(t *testing.T, server *Server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// kill ends a process, or, if pid is negative, a process group.
func kill(t *testing.T, pid int) {
	t.Helper()
	if -1 <= pid && pid <= 1 {
		t.Fatalf("kill %d would reach more than one process", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// script writes a shell script and makes it executable.
func script(t *testing.T, path, text string) {
	t.Helper()
	write(t, path, "#!/bin/sh\n"+text)
	chmod(t, path, 0o755)
}

// realBinaries returns the installation that tests run.
func realBinaries(t *testing.T) binaries {
	t.Helper()
	bin, err := findBinaries(t.Context(), searchDirs(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestServerIsPrivateAndStays(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	// Characters that mean something in an address.
	server.socketDir = filepath.Join(testDir(t), "a folder 100% & odd+")

	if got := status(t, server); got.Running || got.Version != "" || got.DataSize != 0 {
		t.Errorf("before the first start: %+v", got)
	}
	if _, err := os.Stat(server.dir); !os.IsNotExist(err) {
		t.Errorf("New or Status made a folder: %v", err)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Errorf("Stop before the first start: %v", err)
	}

	start(t, server)
	for sql, want := range map[string]string{
		"SELECT current_database()":                    "roompulse",
		"SELECT current_user":                          "roompulse",
		"SHOW listen_addresses":                        "",
		"SHOW data_checksums":                          "on",
		"SHOW server_encoding":                         "UTF8",
		"SHOW TimeZone":                                "UTC",
		"SHOW shared_buffers":                          "256MB",
		"SHOW fsync":                                   "off",
		"SELECT min(x) FROM (VALUES ('a'),('B')) v(x)": "B", // bytewise
	} {
		if got := query(t, server, sql); got != want {
			t.Errorf("%s = %q, want %q", sql, got, want)
		}
	}
	for path, want := range map[string]fs.FileMode{
		server.socketDir: fs.ModeDir | 0o700,
		filepath.Join(server.socketDir, socketFile): fs.ModeSocket | 0o700,
		server.data:                        fs.ModeDir | 0o700,
		filepath.Join(server.dir, logName): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
		}
	}
	first := status(t, server)
	if !first.Running || first.PID == 0 || first.DataSize < 1<<20 || first.SocketDir != server.socketDir ||
		first.Version != realBinaries(t).version {
		t.Errorf("status of a running server: %+v", first)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", first.PID))
	if err == nil && strings.Contains(string(env), "HOME=") {
		t.Error("the server has the environment of the process that started it")
	}

	// Another process, with another environment, finds the same server.
	other := serverIn(t, server.dir)
	start(t, other)
	if got := status(t, other); got.PID != first.PID {
		t.Errorf("the second Start made another server: %d, was %d", got.PID, first.PID)
	}
	if other.URL() != server.URL() {
		t.Errorf("URL %s, to the other process %s", server.URL(), other.URL())
	}
}

func TestStopAndStartKeepTheData(t *testing.T) {
	t.Parallel()
	server := usedServer(t)
	start(t, server)
	execute(t, server, "CREATE TABLE kept AS SELECT 'kept'::text AS word")
	for range 2 {
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(t, server); got.Running || got.PID != 0 || got.Version != strconv.Itoa(realBinaries(t).major) {
		t.Errorf("status of a stopped server: %+v", got)
	}
	if _, err := os.Stat(server.socketDir); !os.IsNotExist(err) {
		t.Errorf("the folder of the socket is left: %v", err)
	}
	write(t, filepath.Join(server.dir, "backup.dump"), "what people put beside their data")
	start(t, server)
	if got := query(t, server, "SELECT word FROM kept"); got != "kept" {
		t.Errorf("got %q back", got)
	}
}

func execute(t *testing.T, server *Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestKilledServerRecovers(t *testing.T) {
	server := usedServer(t) // it dies all these deaths, so they are not parallel
	start(t, server)
	execute(t, server, "CREATE TABLE kept AS SELECT 'kept'::text AS word")

	for _, tt := range []struct {
		name  string
		crash func(t *testing.T, pid int)
	}{
		{"killed, its other processes still there", func(t *testing.T, pid int) {
			t.Helper()
			kill(t, pid)
		}},
		{"killed, its pid somebody else's", func(t *testing.T, pid int) {
			t.Helper()
			kill(t, pid)
			stranger := strconv.Itoa(sleeper(t, server))
			for _, path := range []string{
				filepath.Join(server.data, "postmaster.pid"), filepath.Join(server.socketDir, socketFile+".lock"),
			} {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				_, rest, _ := strings.Cut(string(text), "\n")
				write(t, path, stranger+"\n"+rest)
			}
		}},
		{"killed while it wrote the pid file", func(t *testing.T, pid int) {
			t.Helper()
			kill(t, pid)
			write(t, filepath.Join(server.data, "postmaster.pid"), "")
		}},
		{"alive, its socket folder removed", func(t *testing.T, _ int) {
			t.Helper()
			if err := os.RemoveAll(server.socketDir); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pid := status(t, server).PID
			tt.crash(t, pid)
			start(t, server)
			if got := query(t, server, "SELECT word FROM kept"); got != "kept" {
				t.Errorf("got %q back", got)
			}
			if got := status(t, server).PID; got == pid {
				t.Error("still the same process")
			}
		})
	}
}

// sleeper runs a process of the server's user that has nothing to do with PostgreSQL.
func sleeper(t *testing.T, server *Server) (pid int) {
	t.Helper()
	account, err := server.account()
	if err != nil {
		t.Fatal(err)
	}
	cmd := server.command(t.Context(), account, "/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// process is a run of the test binary that starts a server.
type process struct {
	*exec.Cmd
	out *bufio.Reader
}

func startElsewhere(t *testing.T, dir string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), startEnv+"="+dir)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil { // open as long as this process lives
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd, bufio.NewReader(out)}
}

// pid waits for the server's pid as the process reports it; 0 if it fails.
func (p *process) pid() int {
	line, _ := p.out.ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	return pid
}

// die kills the process and everything in its process group.
func (p *process) die(t *testing.T) {
	t.Helper()
	kill(t, -p.Process.Pid)
	_ = p.Wait()
}

func TestProcessesShareOneServerThatOutlivesThem(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	pids := make([]int, 5)
	var group sync.WaitGroup
	for i := range pids {
		p := startElsewhere(t, server.dir)
		t.Cleanup(func() { p.die(t) })
		group.Go(func() { pids[i] = p.pid() })
	}
	group.Wait()
	for _, pid := range pids {
		if pid == 0 || pid != pids[0] {
			t.Fatalf("the processes report the servers %v", pids)
		}
	}
	if log := server.logFrom(0); strings.Count(log, "starting PostgreSQL") != 1 {
		t.Errorf("not exactly one server was started:\n%s", log)
	}
	p := startElsewhere(t, server.dir)
	p.pid()
	p.die(t)
	if got := query(t, server, "SELECT 'alive'"); got != "alive" || status(t, server).PID != pids[0] {
		t.Error("the server ended with the process that started it")
	}
}

func TestInterruptedInitializationStartsAnew(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	server := serverIn(t, filepath.Join(dir, "pg"))

	// An initdb that says when it begins and goes on when it is told.
	begun, goOn := filepath.Join(dir, "begun"), filepath.Join(dir, "goon")
	for _, fifo := range []string{begun, goOn} {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		chmod(t, fifo, 0o666)
	}
	bin := realBinaries(t)
	mkdir(t, filepath.Join(dir, "bin"))
	script(t, filepath.Join(dir, "bin", "postgres"), fmt.Sprintf("exec %s/postgres \"$@\"\n", bin.dir))
	script(t, filepath.Join(dir, "bin", "initdb"), fmt.Sprintf(
		"echo begun > %s\nread line < %s\nexec %s/initdb \"$@\"\n", begun, goOn, bin.dir))

	p := startElsewhere(t, server.dir)
	if _, err := os.ReadFile(begun); err != nil {
		t.Fatal(err)
	}
	p.die(t)

	// initdb survives as an orphan. Until it has finished nobody may touch its folder.
	partial := filepath.Join(server.dir, partialName)
	before, err := os.Stat(partial)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := server.Start(ctx); err == nil || ctx.Err() == nil {
		t.Fatalf("Start while initdb runs: %v", err)
	}
	if after, err := os.Stat(partial); err != nil || !os.SameFile(before, after) {
		t.Fatalf("the folder of a running initdb was replaced: %v", err)
	}
	write(t, goOn, "go on\n")
	start(t, server)
	if _, err := os.Stat(partial); !os.IsNotExist(err) {
		t.Errorf("an unfinished data folder is left: %v", err)
	}
}

func TestCancelledInitializationLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	server := serverIn(t, filepath.Join(dir, "pg"))
	begun := filepath.Join(dir, "begun")
	if err := syscall.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, begun, 0o666)
	fakeBinaries(t, dir, "15.1", "echo begun > "+begun+"\nsleep 1000")
	server.search = []string{dir}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error)
	go func() { result <- server.Start(ctx) }()
	if _, err := os.ReadFile(begun); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-result; err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("Start: %v", err)
	}
	if _, err := os.Stat(filepath.Join(server.dir, partialName)); !os.IsNotExist(err) {
		t.Errorf("an unfinished data folder is left: %v", err)
	}
}

// fakeBinaries makes programs that look like PostgreSQL's.
func fakeBinaries(t *testing.T, dir, version, initdb string) {
	t.Helper()
	script(t, filepath.Join(dir, "postgres"), "echo 'postgres (PostgreSQL) "+version+"'\n")
	script(t, filepath.Join(dir, "initdb"), initdb+"\n")
}

func TestStartWaitsForTheProcessesOfAKilledServer(t *testing.T) {
	t.Parallel()
	server := usedServer(t)
	// A backend that computes does not notice at once that its server was killed. This lock is what it holds.
	backend, err := flock.Open(filepath.Join(server.dir, serverLock))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := backend.TryLock(flock.Exclusive); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for name, try := range map[string]func(context.Context) error{"Start": server.Start, "Stop": server.Stop} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := try(ctx); err == nil || ctx.Err() == nil {
			t.Errorf("%s did not wait: %v", name, err)
		}
		cancel()
	}
	if err := backend.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, server)
}

func TestStartRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		arrange func(t *testing.T, server *Server)
		words   []string
	}{
		{"folder of something else", func(t *testing.T, s *Server) {
			t.Helper()
			mkdir(t, s.dir)
			write(t, filepath.Join(s.dir, "thesis.odt"), "years of work")
		}, []string{"not the private server's", "thesis.odt", "Nothing was changed"}},
		{"data folder of something else", func(t *testing.T, s *Server) {
			t.Helper()
			mkdir(t, s.dir)
			mkdir(t, s.data)
			write(t, filepath.Join(s.data, "thesis.odt"), "years of work")
		}, []string{"not a data folder of PostgreSQL", "Nothing was changed"}},
		{"another major version", func(t *testing.T, s *Server) {
			t.Helper()
			mkdir(t, s.dir)
			mkdir(t, s.data)
			write(t, filepath.Join(s.data, versionFile), "99\n")
		}, []string{"is PostgreSQL 99's", "PostgreSQL " + realBinaries(t).version, "pg_dump", "nothing was changed"}},
		{"folder open to others", func(t *testing.T, s *Server) {
			t.Helper()
			mkdir(t, s.dir)
			chmod(t, s.dir, 0o777)
		}, []string{"0777", "chmod"}},
		{"socket folder open to others", func(t *testing.T, s *Server) {
			t.Helper()
			s.socketDir = filepath.Join(testDir(t), "s")
			mkdir(t, s.socketDir)
			fakeData(t, s)
			chownLike(t, s.socketDir, s.data)
		}, []string{"0755", "lets others in"}},
		{"link in place of the socket folder", func(t *testing.T, s *Server) {
			t.Helper()
			s.socketDir = filepath.Join(testDir(t), "s")
			if err := os.Symlink(testDir(t), s.socketDir); err != nil {
				t.Fatal(err)
			}
			fakeData(t, s)
		}, []string{"is not a folder"}},
		{"no programs", func(_ *testing.T, s *Server) {
			s.search = nil
		}, []string{"PostgreSQL 15 or newer", "install", "DATABASE_URL"}},
		{"programs too old", func(t *testing.T, s *Server) {
			t.Helper()
			dir := testDir(t)
			fakeBinaries(t, dir, "13.4 (Debian 13.4-1)", "exit 1")
			s.search = []string{dir}
		}, []string{"PostgreSQL 15 or newer", "13.4", "passed over"}},
		{"disk full while the data folder is made", func(t *testing.T, s *Server) {
			t.Helper()
			dir := testDir(t)
			fakeBinaries(t, dir, "15.1",
				`echo "creating data ..."; echo 'initdb: error: could not write to file "x": No space left on device' >&2; exit 1`)
			s.search = []string{dir}
		}, []string{"initdb", `could not write to file "x"`, "not enough room", "make room"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			tt.arrange(t, server)
			refuses(t, server, tt.words...)
		})
	}
}

// fakeData makes something that passes for data until a server is run on it.
func fakeData(t *testing.T, server *Server) {
	t.Helper()
	mkdir(t, server.dir)
	chmod(t, server.dir, 0o711)
	mkdir(t, server.data)
	write(t, filepath.Join(server.data, versionFile), strconv.Itoa(realBinaries(t).major))
	account, err := server.account()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(server.data, account.uid, account.gid); err != nil {
		t.Fatal(err)
	}
}

// chownLike gives a file the owner of another one.
func chownLike(t *testing.T, path, model string) {
	t.Helper()
	info, err := os.Stat(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, ownerOf(info), -1); err != nil {
		t.Fatal(err)
	}
}

func TestRootNeedsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only for root")
	}
	nobody := 65534
	for _, tt := range []struct {
		name    string
		arrange func(t *testing.T, server *Server)
		words   []string
	}{
		{"no user to run the server as", func(_ *testing.T, s *Server) {
			s.runAs = "no-such-user"
		}, []string{"does not run as root", "no user no-such-user"}},
		{"folder that the user cannot enter", func(t *testing.T, s *Server) {
			t.Helper()
			chmod(t, filepath.Dir(s.dir), 0o700)
		}, []string{"the user postgres must be able to", "enter"}},
		{"folder of another user", func(t *testing.T, s *Server) {
			t.Helper()
			mkdir(t, s.dir)
			if err := os.Chown(s.dir, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}, []string{"belongs to " + userName(nobody), "not as root"}},
		{"data of another user", func(t *testing.T, s *Server) {
			t.Helper()
			fakeData(t, s)
			if err := os.Chown(s.data, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}, []string{"belongs to " + userName(nobody), "would run as postgres"}},
		{"socket folder of another user", func(t *testing.T, s *Server) {
			t.Helper()
			fakeData(t, s)
			if err := os.Mkdir(s.socketDir, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(s.socketDir) })
			if err := os.Chown(s.socketDir, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}, []string{"belongs to " + userName(nobody), "and not to postgres"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			tt.arrange(t, server)
			refuses(t, server, tt.words...)
		})
	}
}

// A real full disk, with the real programs. Their words are not ours to fake.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	mount := func(options string) error {
		return exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "localpg-test", dir).Run()
	}
	if err := mount("size=20m,mode=755"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", dir).Run(); err != nil {
			t.Error(err)
		}
	})
	server := serverIn(t, filepath.Join(dir, "pg"))
	refuses(t, server, "initdb", "No space left on device", "make room")
	if _, err := os.Stat(filepath.Join(server.dir, partialName)); !os.IsNotExist(err) {
		t.Errorf("an unfinished data folder fills the disk: %v", err)
	}

	if err := mount("remount,size=200m"); err != nil {
		t.Fatal(err)
	}
	start(t, server)
	execute(t, server, "CREATE TABLE kept AS SELECT 'kept'::text AS word")
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	filler := fill(t, dir)
	refuses(t, server, "ended at once", "not enough room", "make room")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	start(t, server)
	if got := query(t, server, "SELECT word FROM kept"); got != "kept" {
		t.Errorf("got %q back", got)
	}
}

// fill writes a file that takes all the space that is left on the disk of dir.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it could not be written anyway
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return path
}

func TestServerEndsAtOnce(t *testing.T) {
	t.Parallel()
	server := usedServer(t)
	server.settings = map[string]string{"fsync": "off", "shared_buffers": "plenty"}
	err := server.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ended at once") || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("Start: %v", err)
	}
}

func TestChooseSocketDir(t *testing.T) {
	user := os.Geteuid()
	short, long := t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, short, 0o700)
	open := t.TempDir()
	chmod(t, open, 0o755)
	comma := filepath.Join(t.TempDir(), "a,b")
	if err := os.Mkdir(comma, 0o700); err != nil {
		t.Fatal(err)
	}
	other := user + 1
	for _, tt := range []struct {
		name            string
		runtimeDir, tmp string
		uid             int
		in              string // the folder in which the socket's folder is to be
	}{
		{"runtime folder", short, long, user, short},
		{"no runtime folder", "", short, user, short},
		{"relative runtime folder", "run", short, user, short},
		{"runtime folder open to others", open, short, user, short},
		{"runtime folder of another user", short, open, other, open},
		{"runtime folder too long", long, short, user, short},
		{"all too long", long, long, user, "/tmp"},
		{"comma", "", comma, user, "/tmp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.in == tt.runtimeDir && user == 0 {
				t.Skip("root's runtime folder is not used")
			}
			t.Setenv("XDG_RUNTIME_DIR", tt.runtimeDir)
			t.Setenv("TMPDIR", tt.tmp)
			got := chooseSocketDir("/srv/one", tt.uid)
			if filepath.Dir(got) != tt.in {
				t.Errorf("got %s, want a folder in %s", got, tt.in)
			}
			if other := chooseSocketDir("/srv/two", tt.uid); other == got {
				t.Errorf("two servers share %s", got)
			}
		})
	}
}

func TestLongestSocketPathWorks(t *testing.T) {
	t.Parallel()
	server := usedServer(t)
	base := testDir(t)
	server.socketDir = filepath.Join(base, strings.Repeat("x", maxSocketPath-len(base)-len(socketFile)-2))
	if got := len(filepath.Join(server.socketDir, socketFile)); got != maxSocketPath {
		t.Fatalf("the path has %d bytes, want %d", got, maxSocketPath)
	}
	start(t, server)
}

func TestDefaultDir(t *testing.T) {
	if os.Geteuid() == 0 {
		if got, err := defaultDir(); got != "/var/lib/roompulse/postgres" || err != nil {
			t.Errorf("root's folder: %s, %v", got, err)
		}
		return
	}
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	if got, err := defaultDir(); got != filepath.Join(data, "roompulse", "postgres") || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	if got, err := defaultDir(); err == nil {
		t.Errorf("without a home: %s", got)
	}
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	base := testDir(t)
	var dirs []string
	for _, version := range []string{"13.4", "19devel", "16.2", "17.1 (Debian 17.1-1)"} {
		dir := filepath.Join(base, strings.Fields(version)[0])
		mkdir(t, dir)
		fakeBinaries(t, dir, version, "exit 1")
		dirs = append(dirs, dir)
	}
	broken := filepath.Join(base, "broken")
	mkdir(t, broken)
	script(t, filepath.Join(broken, "postgres"), "exit 127\n")
	script(t, filepath.Join(broken, "initdb"), "exit 127\n")
	clientOnly := filepath.Join(base, "client")
	mkdir(t, clientOnly)
	script(t, filepath.Join(clientOnly, "psql"), "exit 0\n")
	dirs = slices.Concat([]string{filepath.Join(base, "missing"), clientOnly, broken}, dirs)

	for major, want := range map[int]string{0: "19devel", 16: "16.2", 17: "17.1", 13: "", 18: ""} {
		got, err := findBinaries(t.Context(), dirs, major)
		if want == "" {
			if err == nil {
				t.Errorf("version %d: found %+v", major, got)
			} else if !strings.Contains(err.Error(), "broken") {
				t.Errorf("version %d: the message hides the broken installation: %v", major, err)
			}
			continue
		}
		if err != nil || got.version != want || got.dir != filepath.Join(base, want) {
			t.Errorf("version %d: found %+v, %v, want %s", major, got, err, want)
		}
	}
}

func TestPsql(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	server := newServer(t)
	server.search = []string{dir}
	if path, err := server.Psql(t.Context()); err == nil {
		t.Errorf("found %s", path)
	}
	script(t, filepath.Join(dir, "psql"), "exit 0\n")
	if path, err := server.Psql(t.Context()); err != nil || path != filepath.Join(dir, "psql") {
		t.Errorf("found %s, %v", path, err)
	}
}

func TestInstallCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		goos, release string
		major         int
		want          string
	}{
		{"linux", "ID=debian\nVERSION_ID=\"12\"\n", 0, "apt-get install postgresql"},
		{"linux", "ID=debian\n", 14, "apt-get install postgresql-14"},
		{"linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", 0, "apt-get install postgresql"},
		{"linux", "ID=fedora\nVERSION_ID=42\n", 0, "dnf install postgresql-server"},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", 0, "dnf module install postgresql:16/server"},
		{"linux", "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"10.0\"\n", 0, "dnf install postgresql-server"},
		{"linux", "ID=alpine\n", 0, "apk add postgresql"},
		{"linux", "ID=alpine\n", 16, "apk add postgresql16"},
		{"linux", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", 0, "zypper install postgresql-server"},
		{"linux", "ID=arch\n", 0, "pacman -S postgresql"},
		{"linux", "ID=arch\n", 14, ""},
		{"linux", "ID=plan10\n", 0, ""},
		{"linux", "", 0, ""},
		{"darwin", "", 0, "brew install postgresql@17"},
		{"darwin", "", 15, "brew install postgresql@15"},
		{"freebsd", "", 0, ""},
	} {
		got := strings.TrimPrefix(installCommand(tt.goos, tt.release, tt.major), "sudo ")
		if got != tt.want {
			t.Errorf("%s, %q, version %d: %q, want %q", tt.goos, tt.release, tt.major, got, tt.want)
		}
	}
}
