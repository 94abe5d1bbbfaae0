package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/config"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/localpg"
	"roompulse/internal/store"
)

func (a *app) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check the portal, the key, the database and the machine, and say what to do about each",
		Flags: []cli.Flag{portalFlag},
		Action: func(c *cli.Context) error {
			d := &doctor{app: a}
			d.examinePortal(c.Context, c.String("portal"))
			if err := c.Err(); err != nil {
				return err
			}
			d.examineDatabase(c.Context)
			return d.result()
		},
	}
}

// doctor prints findings as it makes them.
type doctor struct {
	*app
	failed []error
	warned int
}

func (d *doctor) ok(what, format string, args ...any) { d.print("ok", what, format, args...) }

func (d *doctor) warn(what, format string, args ...any) {
	d.warned++
	d.print("warn", what, format, args...)
}

func (d *doctor) fail(what string, err error) {
	d.failed = append(d.failed, err)
	d.print("FAIL", what, "%s", oneLine(err))
}

func (d *doctor) print(mark, what, format string, args ...any) {
	fmt.Fprintf(d.stdout, "%-4s  %-12s  %s\n", mark, what, fmt.Sprintf(format, args...))
}

// result keeps the kind of the first failure, and with it the exit code.
func (d *doctor) result() error {
	if len(d.failed) > 0 {
		return fmt.Errorf("%d of the checks failed, the first: %w", len(d.failed), d.failed[0])
	}
	return nil
}

func (d *doctor) examinePortal(ctx context.Context, host string) {
	portal := config.Portal{Host: host, AllowHTTP: allowHTTP()}
	if err := d.findPortal(ctx, &portal); err != nil {
		d.fail("settings", err)
		return
	}
	client, err := d.newClient(portal, d.logger(false))
	if err != nil {
		d.fail("settings", err)
		return
	}
	if !d.examineTrail(ctx, client) {
		return
	}
	d.examineKey(ctx, client)
	if days, err := client.AuditLifetime(ctx); err != nil {
		d.warn("lifetime", "not to be read, which sync does without: %s", oneLine(err))
	} else {
		d.ok("lifetime", "DocSpace's own reports reach back %d days; sync reads what is older as well", days)
	}
}

// examineTrail asks for the audit trail, as sync does; without it nothing else matters.
func (d *doctor) examineTrail(ctx context.Context, client *docspace.Client) bool {
	now, err := client.Now(ctx)
	if err != nil {
		d.fail("portal", err)
		return false
	}
	d.ok("portal", "%s answers", client.BaseURL())
	const suspicious = 5 * time.Minute
	if skew := now.Sub(d.now()); skew.Abs() > suspicious {
		d.warn("clock", "the portal's clock is %s off this machine's: set the wrong one right, sync goes by the earlier", skew.Round(time.Second))
	} else {
		d.ok("clock", "the portal's and this machine's agree")
	}
	page, err := client.Events(ctx, now.AddDate(-20, 0, 0), now, 0, 1)
	switch {
	case err != nil:
		d.fail("audit trail", err)
		return false
	case page.Rows() > 1:
		d.fail("audit trail", ingest.ErrNoAuditOption)
		return false
	case len(page.Events) == 0:
		d.warn("audit trail", "it is empty: on a portal in use, see Settings > Security > Audit trail")
	default:
		newest := page.Events[0]
		d.ok("audit trail", "readable; the newest event is of %s", instant(newest.At))
		d.ok("time zone", "the portal's offset from UTC at that event was %s", time.Unix(0, 0).In(time.FixedZone("", newest.Offset)).Format("-07:00"))
	}
	return true
}

func (d *doctor) examineKey(ctx context.Context, client *docspace.Client) {
	key, err := client.Key(ctx)
	if err != nil {
		d.warn("key", "what it may do is not to be read: %s", oneLine(err))
		return
	}
	scopes := "everything"
	if len(key.Permissions) > 0 {
		scopes = strings.Join(key.Permissions, ", ")
	}
	switch {
	case len(key.Permissions) > 0 && !slices.Contains(key.Permissions, "*:read"):
		d.warn("key", "%q may do %s: *:read is needed, or rooms and people will not be read", key.Name, scopes)
	case len(key.Permissions) == 0 || slices.Contains(key.Permissions, "*:write"):
		d.warn("key", "%q may do %s: roompulse only reads, *:read is enough", key.Name, scopes)
	default:
		d.ok("key", "%q may do %s", key.Name, scopes)
	}
	const soon = 30 * 24 * time.Hour
	if !key.Expires.IsZero() && key.Expires.Sub(d.now()) < soon {
		d.warn("key", "it expires at %s: make a new one in time", instant(key.Expires))
	}
}

func (d *doctor) examineDatabase(ctx context.Context) {
	st, private, err := d.warehouse(ctx, d.logger(false))
	if err != nil {
		d.fail("database", err)
		return
	}
	defer st.Close()
	health, err := st.Health(ctx)
	if err != nil {
		d.fail("database", err)
		return
	}
	d.ok("database", "PostgreSQL %s, %s", health.Version, byteSize(health.Size))
	d.examineSchema(ctx, st)
	if private {
		d.examineDisk(ctx)
	}
}

func (d *doctor) examineSchema(ctx context.Context, st *store.Store) {
	err := st.CheckSchema(ctx)
	if errors.Is(err, store.ErrNotMigrated) {
		if empty, emptyErr := st.Empty(ctx); emptyErr == nil && empty {
			d.ok("schema", "not made yet: the first sync makes it")
			return
		}
	}
	if err != nil {
		d.fail("schema", err)
		return
	}
	d.ok("schema", "up to date")
}

// lowDisk is when a disk is called full: a first sync of a busy portal takes some gigabytes.
const lowDisk = 5 << 30

func (d *doctor) examineDisk(ctx context.Context) {
	server, err := localpg.New(localpg.Config{})
	if err != nil {
		d.fail("disk", err)
		return
	}
	status, err := server.Status(ctx)
	if err != nil {
		d.fail("disk", err)
		return
	}
	free, err := freeSpace(status.DataDir)
	switch {
	case err != nil:
		d.warn("disk", "free space is not to be read, keep an eye on %s: %v", status.DataDir, err)
	case free < lowDisk:
		d.warn("disk", "%s are free at %s: make room, a million events take about 200 MiB", byteSize(free), status.DataDir)
	default:
		d.ok("disk", "%s are free at %s", byteSize(free), status.DataDir)
	}
}

// freeSpace is what ordinary users may still write on the disk of a folder.
func freeSpace(folder string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, err
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:gosec,unconvert // the types differ between systems
}
