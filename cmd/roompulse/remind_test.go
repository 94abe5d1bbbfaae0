package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"roompulse/internal/testkit/smtptest"
)

// TestInterruptedRemind: a run that is told to stop brings the mail that it is at to
// its end, writes that down and says so; the next one sends the rest.
func TestInterruptedRemind(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	server := smtptest.New(t, smtptest.Config{})
	b.env = append(b.env, "ROOMPULSE_SMTP_URL=smtp://"+server.Address+"?tls=off", "ROOMPULSE_MAIL_FROM=docspace@acme.example",
		"ROOMPULSE_MAX_MAILS_PER_MINUTE=0", "ROOMPULSE_MAX_RECIPIENTS=10000")
	b.spawn(t)
	<-b.exited
	remind := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "roompulse", "remind", "--last", "30d", "--send")
		cmd.Env = b.env
		return cmd
	}

	running := make(chan *os.Process, 1)
	server.Fault(func(step smtptest.Step, _ smtptest.Message) error {
		if step == smtptest.Taken && len(server.Messages()) == 2 {
			return (<-running).Signal(syscall.SIGTERM)
		}
		return nil
	})
	cmd := remind()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running <- cmd.Process
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 || stderr.String() != "roompulse: interrupted\n" {
		t.Errorf("it ends with %v and says %s", err, &stderr)
	}
	sent := len(server.Messages())
	const ledger = "SELECT count(DISTINCT message_id) FROM (SELECT message_id, state FROM reminder UNION SELECT message_id, state FROM reminder_digest) AS m"
	if n := b.number(t, ledger+" WHERE state = 'sent'"); n != sent || sent < 2 {
		t.Errorf("%d mails are sent, %d of them in the ledger", sent, n)
	}
	if n := b.number(t, ledger); n != sent {
		t.Errorf("the ledger has %d mails, %d were sent", n, sent)
	}

	server.Fault(nil)
	cmd = remind()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range server.Messages() {
		for line := range strings.Lines(string(m.Text)) {
			if strings.HasPrefix(line, "Message-ID: ") {
				seen[line]++
				break
			}
		}
	}
	if len(seen) != len(server.Messages()) || len(seen) <= sent || len(seen) != b.number(t, ledger) {
		t.Errorf("%d mails, %d different ones, %d in the ledger", len(server.Messages()), len(seen), b.number(t, ledger))
	}
}
