// Package localpg runs roompulse's private PostgreSQL server: the one that is used when no DATABASE_URL is given.
//
// It is a real server, made from the binaries that the system has installed (PostgreSQL 15 or newer). It is started when
// it is needed, shared by all roompulse processes of one user, and left running. It listens on a Unix socket only.
//
// # Folders
//
// Everything that lasts lies in one folder, by default $XDG_DATA_HOME/roompulse/postgres:
//
//	data/          the data folder of PostgreSQL
//	data.partial/  a data folder that initdb has not finished; renamed to data/ when it is whole and on disk
//	server.log     what the server says; server.log.1 the one before, kept from 10 MiB on
//	start.lock     held while a process starts, stops or initializes the server
//	server.lock    held by the server itself, all of its processes, as long as one of them lives
//
// Nothing here ever deletes or replaces data/. What is not understood is refused with a message that says what was found.
//
// The socket lies elsewhere, in a folder of its own, since its path may have some hundred bytes only: below
// $XDG_RUNTIME_DIR, or else the temporary directory. Which one a running server uses stands in data/postmaster.pid, so
// processes find it even if their environments differ (a login shell has XDG_RUNTIME_DIR, cron has not).
//
// # Who may connect
//
// The socket folder has mode 0700 and its owner and mode are checked before each use; the socket itself is 0700 too.
// Whoever may open it is the server's superuser without a password ("trust"). A further check of the system user ("peer")
// would keep nobody out that the folder lets in: only the owner and root pass it, and root may always become the owner.
// Database roles on this server therefore protect from mistakes, not from people.
//
// # Root
//
// PostgreSQL refuses to be run by root. Run by root, roompulse starts the server as the user postgres, and the folder is
// /var/lib/roompulse/postgres, since the home of root is closed to others. There data/ belongs to postgres, the rest to
// root: root must not write to files that another user could have replaced by links.
//
// # Is it alive?
//
// A pid file alone cannot tell: after a crash its number may belong to somebody else, and PostgreSQL then refuses to
// start. So the server inherits a lock, server.lock, when it is started, and so do its child processes; the kernel drops
// it when the last of them is gone. A server that was started by hand with pg_ctl does not have the lock; it is recognized
// by a process that runs in data/ under the pid of the pid file.
//
// The server gets a session of its own, so that it survives the terminal and the process that started it. It cannot leave
// the control group: a systemd unit, a container or a cron service that kills its whole group when it ends takes the server
// with it. That costs a crash recovery at the next start, and no data.
package localpg
