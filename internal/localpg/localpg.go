package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"roompulse/internal/localpg/flock"
)

const (
	superuser = "roompulse"
	database  = "roompulse"

	// rootDir is where the server of root lies: a folder that the user postgres can enter.
	rootDir      = "/var/lib/roompulse/postgres"
	rootRunsAs   = "postgres"
	dataName     = "data"
	partialName  = "data.partial"
	logName      = "server.log"
	oldLogName   = "server.log.1"
	startLock    = "start.lock"
	serverLock   = "server.lock"
	versionFile  = "PG_VERSION"
	lostAndFound = "lost+found" // the folder may be a mounted volume
)

// Config says which server is meant. The zero value is the user's own.
type Config struct {
	// Dir holds the data, the log and the locks; see the package's documentation. "" stands for roompulse/postgres in
	// the XDG data folder, or /var/lib/roompulse/postgres if root asks.
	Dir string

	// Settings of PostgreSQL for each start of the server, stronger than its configuration files.
	Settings map[string]string

	// Logger hears of what takes time: a new data folder, a start, a recovery. nil: nobody does.
	Logger *slog.Logger
}

// Server is a private PostgreSQL server, running or not. Any number of values and processes may stand for the same one,
// and all methods may be called at any time.
type Server struct {
	dir      string
	data     string
	settings map[string]string
	logger   *slog.Logger

	socketDir string   // for the next start; a running server may have chosen another
	search    []string // folders to look for programs in
	runAs     string   // the system user whom root lets run the server
}

// Status describes a server at one moment.
type Status struct {
	Running   bool   // there is a server process, though it may still be recovering
	PID       int    // 0 if not running
	Version   string // like "15.18"; only "15" if the server cannot be asked, "" if there is no data yet
	DataDir   string
	DataSize  int64 // bytes of all files in DataDir
	SocketDir string
	LogFile   string
}

// New returns the server that cfg describes. It starts and changes nothing.
func New(cfg Config) (*Server, error) {
	dir := cfg.Dir
	if dir == "" {
		var err error
		if dir, err = defaultDir(); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve the folder of the private server: %w", err)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		dir:       dir,
		data:      filepath.Join(dir, dataName),
		settings:  cfg.Settings,
		logger:    logger,
		socketDir: chooseSocketDir(dir, os.Geteuid()),
		search:    searchDirs(),
		runAs:     rootRunsAs,
	}, nil
}

func defaultDir() (string, error) {
	if os.Geteuid() == 0 {
		return rootDir, nil
	}
	if _, err := os.UserHomeDir(); err != nil && !filepath.IsAbs(os.Getenv("XDG_DATA_HOME")) {
		return "", errors.New("no place for the private server's data: set HOME or XDG_DATA_HOME, " +
			"or DATABASE_URL to a server that you have")
	}
	xdg.Reload() // the package read the environment when the process began
	return filepath.Join(xdg.DataHome, "roompulse", "postgres"), nil
}

// URL returns the address of the database roompulse on the server, for pgx, psql and other programs. It holds no secret.
// Until Start has succeeded nothing may answer there.
func (s *Server) URL() string { return s.URLFor(superuser) }

// URLFor is URL for another role of the server, whether or not it exists.
func (s *Server) URLFor(role string) string {
	socketDir, port := s.address()
	return dsn(socketDir, port, database, role)
}

// address returns where the running server listens, or else where the next one will.
func (s *Server) address() (socketDir, socketPort string) {
	if pf, err := readPidFile(s.data); err == nil && pf.socketDir != "" {
		return pf.socketDir, pf.port
	}
	return s.socketDir, port
}

// Status reports on the server without changing anything.
func (s *Server) Status(ctx context.Context) (Status, error) {
	status := Status{DataDir: s.data, LogFile: filepath.Join(s.dir, logName)}
	status.SocketDir, _ = s.address()
	version, err := os.ReadFile(filepath.Join(s.data, versionFile))
	switch {
	case err == nil:
		status.Version = strings.TrimSpace(string(version))
	case !errors.Is(err, fs.ErrNotExist):
		return Status{}, fmt.Errorf("read the version of the private server's data: %w", err)
	}
	if status.DataSize, err = sizeOf(s.data); err != nil {
		return Status{}, err
	}
	pf, alive, err := s.look(ctx)
	if err != nil || !alive {
		return status, err
	}
	status.Running, status.PID = true, pf.pid
	conn, err := s.connect(ctx, pf, "postgres")
	if errors.Is(err, errNotReady) {
		return status, nil
	}
	if err != nil {
		return Status{}, err
	}
	defer conn.Close(ctx) //nolint:errcheck // only read from
	status.Version, _, _ = strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	return status, nil
}

// Psql returns the path of the program psql: the one that belongs to the server, or else any.
func (s *Server) Psql(ctx context.Context) (string, error) {
	dirs := s.search
	if bin, err := s.binaries(ctx); err == nil {
		dirs = append([]string{bin.dir}, dirs...)
	}
	for _, dir := range dirs {
		if path := filepath.Join(dir, "psql"); isExecutable(path) {
			return path, nil
		}
	}
	return "", errors.New("psql is not installed: install PostgreSQL's client programs, or take another client and `roompulse db url`")
}

// look tells whether any process of the server lives, and what the pid file says.
func (s *Server) look(ctx context.Context) (pf pidFile, alive bool, err error) {
	if pf, err = readPidFile(s.data); err != nil {
		return pf, false, err
	}
	if _, err := os.Stat(filepath.Join(s.dir, serverLock)); err == nil {
		lock, err := flock.Open(filepath.Join(s.dir, serverLock))
		if err != nil {
			return pf, false, fmt.Errorf("look for the private server: %w", err)
		}
		free, err := lock.TryLock(flock.Shared)
		if err := errors.Join(err, lock.Close()); err != nil {
			return pf, false, fmt.Errorf("look for the private server: %w", err)
		}
		if !free {
			return pf, true, nil
		}
	}
	return pf, runsIn(ctx, pf.pid, s.data), nil
}

// binaries returns the installation that can run the server: of the data's version, or of any if there is no data yet.
func (s *Server) binaries(ctx context.Context) (binaries, error) {
	text, err := os.ReadFile(filepath.Join(s.data, versionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return findBinaries(ctx, s.search, 0)
	}
	if err != nil {
		return binaries{}, fmt.Errorf("read the version of the private server's data: %w", err)
	}
	version := strings.TrimSpace(string(text))
	major, err := strconv.Atoi(version)
	if err != nil {
		return binaries{}, fmt.Errorf("%s holds no data of PostgreSQL %d or newer: its %s says %q",
			s.data, MinMajor, versionFile, version)
	}
	found, err := findBinaries(ctx, s.search, major)
	if _, missing := errors.AsType[*missingError](err); !missing {
		return found, err
	}
	other, otherErr := findBinaries(ctx, s.search, 0)
	if otherErr != nil {
		return binaries{}, err
	}
	return binaries{}, fmt.Errorf("the data in %s is PostgreSQL %d's, and PostgreSQL %s in %s cannot read it; nothing was changed. "+
		"To go on with version %d, install its server programs%s. To change to version %d, dump the database with version %d (pg_dump), "+
		"move %s away, and restore the dump into the new server",
		s.data, major, other.version, other.dir, major, installHint(major), other.major, major, s.dir)
}

var (
	// errGone says that no process of the server lives.
	errGone = errors.New("the private PostgreSQL server is not running")

	// errNotReady says that the server lives but does not answer yet, or just not any more.
	errNotReady = errors.New("the private PostgreSQL server does not answer yet")
)

// connectTimeout bounds a try to connect: a server that was suspended takes connections and never answers.
const connectTimeout = 5 * time.Second

// connect opens a connection to a database of the server that the pid file tells of.
func (s *Server) connect(ctx context.Context, pf pidFile, database string) (*pgx.Conn, error) {
	if pf.socketDir == "" {
		return nil, errNotReady
	}
	account, err := s.account()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(pf.socketDir, account.uid); errors.Is(err, fs.ErrNotExist) {
		return nil, errNotReady
	} else if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errNotReady)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn(pf.socketDir, pf.port, database, superuser))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		} else if mayPass(err) {
			err = fmt.Errorf("%w: %w", errNotReady, err)
		}
		return nil, fmt.Errorf("connect to the private PostgreSQL server: %w", err)
	}
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return nil, errors.Join(fmt.Errorf("ask the private PostgreSQL server for its data folder: %w", err), conn.Close(ctx))
	}
	if !sameFolder(data, s.data) {
		return nil, errors.Join(fmt.Errorf("the socket in %s belongs to another server, whose data is in %s", pf.socketDir, data), conn.Close(ctx))
	}
	return conn, nil
}

// mayPass reports whether a failure to connect is what one sees while a server starts or stops.
func mayPass(err error) bool {
	switch sqlState(err) {
	case pgCannotConnectNow, pgAdminShutdown:
		return true
	}
	passing := []error{
		syscall.ENOENT, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF,
		syscall.EAGAIN, // more connections are waiting than the socket's queue holds
	}
	return slices.ContainsFunc(passing, func(cause error) bool { return errors.Is(err, cause) })
}

// Error codes of PostgreSQL.
const (
	pgCannotConnectNow  = "57P03"
	pgAdminShutdown     = "57P01"
	pgInvalidCatalog    = "3D000" // no such database
	pgDuplicateDatabase = "42P04"
	pgUniqueViolation   = "23505" // two CREATE DATABASE at once
)

// sqlState returns PostgreSQL's code of an error, "" if the error is not from PostgreSQL.
func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// account is the system user that runs the server.
type account struct {
	uid, gid   int
	credential *syscall.Credential // nil: our own
}

func (s *Server) account() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	u, err := user.Lookup(s.runAs)
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		return account{}, fmt.Errorf("PostgreSQL does not run as root, and the system has no user %s to run it as: "+
			"install PostgreSQL from the system's packages, run roompulse as another user, or set DATABASE_URL", s.runAs)
	}
	if err != nil {
		return account{}, fmt.Errorf("look up the system user %s: %w", s.runAs, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 31)
	if err != nil {
		return account{}, fmt.Errorf("look up the system user %s: %w", s.runAs, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 31)
	if err != nil {
		return account{}, fmt.Errorf("look up the system user %s: %w", s.runAs, err)
	}
	// Without a list of groups the process loses those of root.
	return account{uid: int(uid), gid: int(gid), credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

func sameFolder(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// sizeOf adds up the files below dir; a folder that does not exist has none.
func sizeOf(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				total += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // a running server removes files at any time
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure the private server's data: %w", err)
	}
	return total, nil
}
