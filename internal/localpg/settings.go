package localpg

// Port names the socket file (.s.PGSQL.5432); nothing listens on TCP. It is the usual one because the socket folder
// belongs to this server alone.
const port = "5432"

// isolation keeps the server private. It is given on the command line at every start, where no file can override it.
func isolation(socketDir string) map[string]string {
	return map[string]string{
		"listen_addresses":        "",
		"port":                    port,
		"unix_socket_directories": quoteListItem(socketDir),
		"unix_socket_permissions": "0700",
		"unix_socket_group":       "",
		"logging_collector":       "off", // the log goes to server.log, where failed starts are looked up
		"log_destination":         "stderr",
	}
}

// tuning is appended to postgresql.conf when the data folder is made, once: from then on the file is its owner's, and
// ALTER SYSTEM overrides it.
const tuning = `
#------------------------------------------------------------------------------
# ROOMPULSE: a small warehouse beside other programs. Change what you like.
#------------------------------------------------------------------------------

# Twice the default: holds the rollups and indexes of a few million events.
shared_buffers = 256MB

# Reports sort and hash, and few sessions run at a time, so each may use more than the default 4 MB.
work_mem = 32MB
maintenance_work_mem = 128MB

# The first sync writes for hours. Fewer checkpoints write fewer whole pages; price: up to 2 GB of disk, and some seconds
# more of recovery after a crash.
max_wal_size = 2GB
checkpoint_timeout = 15min
wal_compression = on

# Solid-state disks: a random read costs about as much as a sequential one.
random_page_cost = 1.1

# Compiling a query takes longer than most reports run.
jit = off

# Times are UTC everywhere in roompulse.
timezone = 'UTC'
log_timezone = 'UTC'

# The log has no rotation while the server runs, so the routine stays out of it.
log_checkpoints = off
`
