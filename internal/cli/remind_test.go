package cli

import (
	"fmt"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"roompulse/internal/testkit/smtptest"
)

// smtp start: a mail server
// smtp mails N: so many mails have come since it was last asked (-: any number), and are printed
// smtp fault NAME
func playSMTP(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	var err error
	switch args[0] {
	case "start":
		s.smtp = smtptest.New(s.tb, smtptest.Config{})
		ts.Setenv("ROOMPULSE_SMTP_URL", "smtp://"+s.smtp.Address+"?tls=off")
		ts.Setenv("ROOMPULSE_MAIL_FROM", "Acme DocSpace <docspace@acme.example>")
	case "mails":
		want := -1
		if args[1] != "-" {
			want, err = strconv.Atoi(args[1])
		}
		all := s.smtp.Messages()
		fresh := all[s.mailsSeen:]
		s.mailsSeen = len(all)
		for _, m := range fresh {
			_, _ = fmt.Fprintf(ts.Stdout(), "to %s\n%s\n", m.To, m.Text)
		}
		if err == nil && want >= 0 && len(fresh) != want {
			err = fmt.Errorf("%d mails have come, not %d", len(fresh), want)
		}
	default:
		err = fmt.Errorf("smtp %s?", args[0])
	}
	try(ts, neg, "smtp", err)
}
