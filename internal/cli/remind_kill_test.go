package cli

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/demoportal"
	"roompulse/internal/testkit/pgtest"
	"roompulse/internal/testkit/smtptest"
)

// mailing is a synced small world, in which four mails are due: two
// reminders, the first of two rooms, and two digests.
type mailing struct {
	conn *pgx.Conn // to the warehouse
	smtp *smtptest.Server
	env  []string
}

func newMailing(t *testing.T) *mailing {
	t.Helper()
	portal := httptest.NewServer(demoportal.New(smallWorld(), demoportal.Options{Now: func() time.Time { return noon }}))
	t.Cleanup(portal.Close)
	m := &mailing{smtp: smtptest.New(t, smtptest.Config{})}
	database := pgtest.New(t)
	m.env = append(os.Environ(), "DATABASE_URL="+database, "DOCSPACE_API_HOST="+portal.URL, "DOCSPACE_API_KEY="+demoportal.DefaultKey,
		clockVariable+"="+noon.Format(time.RFC3339), "ROOMPULSE_SMTP_URL=smtp://"+m.smtp.Address+"?tls=off",
		"ROOMPULSE_MAIL_FROM=docspace@acme.example", "ROOMPULSE_MAX_MAILS_PER_MINUTE=0")
	m.conn = m.connect(t, database)
	m.run(t, 0, "sync")
	return m
}

func (m *mailing) connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func (m *mailing) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "roompulse", args...)
	cmd.Env = m.env
	return cmd
}

func (m *mailing) run(t *testing.T, code int, args ...string) (output string) {
	t.Helper()
	cmd := m.command(t, args...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%v: exit code %d, %v\n%s", args, got, err, out)
	}
	return string(out)
}

var send = []string{"remind", "--last", "30d", "--send"}

// await returns when the query says true.
func (m *mailing) await(t *testing.T, query string) {
	t.Helper()
	for ready := false; !ready; {
		if err := m.conn.QueryRow(t.Context(), query).Scan(&ready); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// killPoint is where a run is killed: while the server hangs at a step of the
// dialogue about a mail or, if there is something to lock, where the run waits for
// that lock after the step.
type killPoint struct {
	mail int // from 1; 0: before the first one
	step smtptest.Step
	lock string
	// sent is how many mails the server has kept by then, settled how many the
	// ledger says were sent.
	sent, settled int
}

var killPoints = map[string]killPoint{
	"when it is connected":            {0, smtptest.Connect, "", 0, 0},
	"when it claims":                  {0, smtptest.Connect, "reminder", 0, 0},
	"at the first sender":             {1, smtptest.Mail, "", 0, 0},
	"before the first text":           {1, smtptest.Data, "", 0, 0},
	"after the first text":            {1, smtptest.Taken, "", 1, 0},
	"when it settles the first mail":  {1, smtptest.Taken, "reminder", 1, 0},
	"between two mails":               {1, smtptest.Taken, "room_member", 1, 1},
	"between reminders and digests":   {2, smtptest.Taken, "room_member", 2, 2},
	"when it claims a digest":         {2, smtptest.Taken, "reminder_digest", 2, 2},
	"after the text of a digest":      {3, smtptest.Taken, "", 3, 2},
	"after the text of the last mail": {4, smtptest.Taken, "", 4, 3},
}

// TestKilledRemind: wherever a run is killed, no mail is sent twice, none is lost
// silently, and the next run does the rest.
func TestKilledRemind(t *testing.T) {
	t.Parallel()
	for name, point := range killPoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailing(t)
			m.kill(t, point)
			if n := len(m.smtp.Messages()); n != point.sent {
				t.Errorf("the server has kept %d mails, want %d", n, point.sent)
			}
			if n := len(m.ledger(t)["sent"]); n != point.settled {
				t.Errorf("%d mails are settled, want %d", n, point.settled)
			}
			var lost int64
			if err := m.conn.QueryRow(t.Context(), `
				SELECT (SELECT count(*) FROM reminder WHERE state = 'claimed') + (SELECT count(*) FROM reminder_digest WHERE state = 'claimed')`).Scan(&lost); err != nil {
				t.Fatal(err)
			}
			out := m.run(t, 0, send...)
			if told := strings.Contains(out, count(lost, "row")+" of `roompulse remind history` became uncertain"); told != (lost > 0) {
				t.Errorf("%d rows are uncertain, it says %s", lost, out)
			}
			m.check(t)
		})
	}
}

// kill starts a run, kills it at the point and waits until the database has
// noticed.
func (m *mailing) kill(t *testing.T, point killPoint) {
	t.Helper()
	locker := m.connect(t, m.conn.Config().ConnString())
	reached := make(chan error, 1)
	mails := 0
	m.smtp.Fault(func(step smtptest.Step, _ smtptest.Message) error {
		if step == smtptest.Mail {
			mails++
		}
		if mails != point.mail || step != point.step {
			return nil
		}
		if point.lock == "" {
			reached <- nil
			return smtptest.ErrHang
		}
		_, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE "+point.lock+" IN ACCESS EXCLUSIVE MODE")
		reached <- err
		return nil
	})
	cmd := m.command(t, send...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state says more
		close(ended)
	}()
	select {
	case err := <-reached:
		if err != nil {
			t.Fatal(err)
		}
	case <-ended:
		t.Fatalf("it has ended: %s", &out)
	}
	if point.lock != "" {
		m.await(t, "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'roompulse' AND wait_event_type = 'Lock'")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	m.smtp.Fault(nil)
	if _, err := locker.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	// So long a dead run holds the lock.
	m.await(t, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'roompulse'")
}

// ledger returns the Message-IDs in each state.
func (m *mailing) ledger(t *testing.T) map[string][]string {
	t.Helper()
	rows, err := m.conn.Query(t.Context(), `
		SELECT DISTINCT state, message_id FROM reminder UNION SELECT state, message_id FROM reminder_digest ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string][]string{}
	var state, id string
	if _, err := pgx.ForEachRow(rows, []any{&state, &id}, func() error {
		states[state] = append(states[state], id)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return states
}

var messageIDHeader = regexp.MustCompile(`(?m)^Message-ID: <(.*)>\r$`)

// check compares the ledger with what the server got: every row stands for at
// most one mail, and for one if it says sent.
func (m *mailing) check(t *testing.T) {
	t.Helper()
	got := map[string]int{}
	for _, message := range m.smtp.Messages() {
		id := messageIDHeader.FindSubmatch(message.Text)
		if id == nil {
			t.Fatalf("a mail without Message-ID: %s", message.Text)
		}
		got[string(id[1])]++
	}
	states := m.ledger(t)
	rows := 0
	for state, ids := range states {
		for _, id := range ids {
			rows++
			n := got[id]
			delete(got, id)
			if n > 1 || state == "sent" && n != 1 || state != "sent" && state != "uncertain" {
				t.Errorf("%s is %s, and was sent %d times", id, state, n)
			}
		}
	}
	if len(got) > 0 {
		t.Errorf("mails that are not in the ledger: %v", got)
	}
	if rows != 4 || len(states["uncertain"]) > 1 {
		t.Errorf("the ledger has %v", states)
	}
	var memberships int
	if err := m.conn.QueryRow(t.Context(), "SELECT count(*) FROM reminder WHERE number = 1").Scan(&memberships); err != nil || memberships != 3 {
		t.Errorf("%d memberships are reminded, %v", memberships, err)
	}
}

// TestOneRemindAtATime: a second run ends at once; a plan can be looked at.
func TestOneRemindAtATime(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	reached := make(chan struct{})
	release := make(chan struct{})
	m.smtp.Fault(func(step smtptest.Step, _ smtptest.Message) error {
		if step == smtptest.Connect {
			close(reached)
			<-release
		}
		return nil
	})
	first := m.command(t, send...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	if out := m.run(t, 5, send...); !strings.Contains(out, "a `remind --send` is running") {
		t.Errorf("the second run says %s", out)
	}
	m.run(t, 0, "remind", "--last", "30d")
	m.run(t, 0, "sync")
	close(release)
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	m.check(t)
	if out := m.run(t, 0, send...); len(m.smtp.Messages()) != 4 {
		t.Errorf("another run sends more: %s", out)
	}
}

// TestAskedOnceMore: who is out of the question by the time that the mail would
// be sent gets none, whatever the plan was.
func TestAskedOnceMore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change string // of the warehouse, between plan and first mail
		sent   []string
	}{
		"disabled": {
			"UPDATE account SET status = 2 WHERE account_id = 'user-chloe'",
			[]string{"dana@partner.example", "boris.lind@example.org"},
		},
		"out of one room": {
			"UPDATE room_member AS m SET valid_to = '2026-06-30T11:59Z' FROM account AS a, room AS r " +
				"WHERE a.account_id = 'user-chloe' AND m.account_key = a.account_key AND r.room_id = '274818' AND m.room_key = r.room_key",
			[]string{"chloe.marin@example.org", "dana@partner.example", "boris.lind@example.org"},
		},
		"active": {
			"WITH moved AS (UPDATE room_day SET day = '2026-06-28', edit_first_at = '2026-06-28T10:00Z', edit_last_at = '2026-06-28T10:00Z' " +
				"FROM account AS a WHERE a.account_id = 'user-chloe' AND room_day.account_key = a.account_key AND edits > 0 RETURNING room_day.*) " +
				"UPDATE room_last AS l SET edit_last_at = m.edit_last_at FROM moved AS m " +
				"WHERE l.room_key = m.room_key AND l.account_key = m.account_key",
			[]string{"dana@partner.example", "boris.lind@example.org"},
		},
		"data that went missing": {
			"DELETE FROM sync_complete", nil,
		},
		"no manager": {
			"UPDATE account SET status = 2 WHERE account_id = 'user-boris'",
			[]string{"chloe.marin@example.org", "dana@partner.example", "anna.kern@example.org"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailing(t)
			m.smtp.Fault(func(step smtptest.Step, _ smtptest.Message) error {
				if step != smtptest.Connect {
					return nil
				}
				_, err := m.conn.Exec(t.Context(), test.change)
				return err
			})
			out := m.run(t, 0, send...)
			var sent []string
			for _, message := range m.smtp.Messages() {
				sent = append(sent, message.To)
			}
			if !slices.Equal(sent, test.sent) {
				t.Errorf("mails to %q, want %q\n%s", sent, test.sent, out)
			}
		})
	}
}
