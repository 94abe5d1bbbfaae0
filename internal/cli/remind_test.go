package cli

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"roompulse/internal/testkit/smtptest"
)

// smtp start: a mail server
// smtp mails N: so many mails have come since it was last asked (-: any number), and are printed
// smtp attachment FILE: what is attached to the mail in the file is printed
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
	case "attachment":
		var content []byte
		content, err = attachment(ts.ReadFile(args[1]))
		_, _ = ts.Stdout().Write(content)
	default:
		err = fmt.Errorf("smtp %s?", args[0])
	}
	try(ts, neg, "smtp", err)
}

// attachment returns the first file that a mail brings along.
func attachment(raw string) ([]byte, error) {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, fmt.Errorf("look for a file: %w", err)
		}
		if part.FileName() != "" {
			return io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		}
	}
}
