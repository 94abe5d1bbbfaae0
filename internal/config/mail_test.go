package config

import (
	"errors"
	"strings"
	"testing"

	"roompulse/internal/audit"
)

func TestReadSMTP(t *testing.T) {
	const from = "Acme <docspace@acme.example>"
	for name, test := range map[string]struct {
		url, password, from, replyTo string
		want                         SMTP
		err                          string
	}{
		"STARTTLS": {
			url: "smtp://robot@mail.acme.example", password: "s3cret", from: from,
			want: SMTP{Host: "mail.acme.example", Port: 587, User: "robot", Password: "s3cret"},
		},
		"TLS": {
			url: "smtps://robot%40acme.example@mail.acme.example", password: "s3cret", from: from,
			want: SMTP{Host: "mail.acme.example", Port: 465, Implicit: true, User: "robot@acme.example", Password: "s3cret"},
		},
		"a password in the URL": {
			url: "smtp://robot:s3cret@mail.acme.example:2525", from: from,
			want: SMTP{Host: "mail.acme.example", Port: 2525, User: "robot", Password: "s3cret"},
		},
		"a relay nearby":          {url: "smtp://localhost?tls=off", from: from, want: SMTP{Host: "localhost", Port: 25, Plain: true}},
		"IPv6":                    {url: "smtp://[::1]:2525/?tls=off", from: from, want: SMTP{Host: "::1", Port: 2525, Plain: true}},
		"answers":                 {url: "smtp://mail.acme.example", from: from, replyTo: "help@acme.example", want: SMTP{Host: "mail.acme.example", Port: 587}},
		"no URL":                  {from: from, err: "no mail server"},
		"no sender":               {url: "smtp://mail.acme.example", err: "no sender"},
		"a wrong sender":          {url: "smtp://mail.acme.example", from: "Acme", err: "ROOMPULSE_MAIL_FROM"},
		"several senders":         {url: "smtp://mail.acme.example", from: "a@b.example, c@d.example", err: "ROOMPULSE_MAIL_FROM"},
		"a wrong answerer":        {url: "smtp://mail.acme.example", from: from, replyTo: "help", err: "ROOMPULSE_MAIL_REPLY_TO"},
		"no scheme":               {url: "mail.acme.example:587", from: from, err: "not valid"},
		"another scheme":          {url: "https://mail.acme.example", from: from, err: "not valid"},
		"no host":                 {url: "smtp://", from: from, err: "not valid"},
		"a path":                  {url: "smtp://mail.acme.example/inbox", from: from, err: "not valid"},
		"a broken password":       {url: "smtp://robot:s3cret%zz@mail.acme.example", from: from, err: "not valid"},
		"port 0":                  {url: "smtp://mail.acme.example:0", from: from, err: "no port"},
		"a large port":            {url: "smtp://mail.acme.example:70000", from: from, err: "no port"},
		"a user without password": {url: "smtp://robot@mail.acme.example", from: from, err: "ROOMPULSE_SMTP_PASSWORD"},
		"a password without user": {url: "smtp://mail.acme.example", password: "s3cret", from: from, err: "names no user"},
		"two passwords":           {url: "smtp://robot:s3cret@mail.acme.example", password: "s3cret", from: from, err: "keep the latter"},
		"a password in plain":     {url: "smtp://robot@mail.acme.example?tls=off", password: "s3cret", from: from, err: "readable for all"},
		"tls=no":                  {url: "smtp://localhost?tls=no", from: from, err: "tls=off"},
		"another parameter":       {url: "smtp://localhost?starttls=off", from: from, err: "tls=off"},
		"TLS and not":             {url: "smtps://localhost?tls=off", from: from, err: "tls=off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("ROOMPULSE_SMTP_URL", test.url)
			t.Setenv("ROOMPULSE_SMTP_PASSWORD", test.password)
			t.Setenv("ROOMPULSE_MAIL_FROM", test.from)
			t.Setenv("ROOMPULSE_MAIL_REPLY_TO", test.replyTo)
			got, err := ReadSMTP()
			if test.err != "" {
				if _, usage := errors.AsType[audit.UsageError](err); !usage || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want one of usage with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.From.String() != `"Acme" <docspace@acme.example>` || (got.ReplyTo == nil) != (test.replyTo == "") {
				t.Errorf("from %s, answers to %v", got.From.String(), got.ReplyTo)
			}
			got.From, got.ReplyTo = test.want.From, nil
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
