package mail_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/mail"
	"roompulse/internal/testkit/smtptest"
)

const password = "s3cret"

func config(t *testing.T, s *smtptest.Server) mail.Config {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return mail.Config{
		Host: host, Port: number, Encryption: mail.NoTLS, RootCAs: s.RootCAs, UserAgent: "roompulse/test",
		From: netmail.Address{Name: "Acme DocSpace", Address: "docspace@acme.example"},
	}
}

func sender(t *testing.T, c mail.Config) *mail.Sender {
	t.Helper()
	s, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func letter(to string) audit.Mail {
	return audit.Mail{
		MessageID: "roompulse.reminder.0123@acme.example", Date: time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC),
		ToName: "Ann Lee", To: to, Subject: "No recent activity in Tender", Text: "Hello Ann,\n", HTML: "<p>Hello Ann,</p>\n",
	}
}

// send sends one mail after another as a run does.
func send(ctx context.Context, s *mail.Sender, m audit.Mail) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	return s.Send(ctx, m)
}

func TestManyMailsOneConnection(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{})
	s := sender(t, config(t, server))
	for _, to := range []string{"ann@acme.example", "bo@acme.example", "chloe@acme.example"} {
		if err := send(t.Context(), s, letter(to)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(server.Messages()); n != 3 || server.Dialogs() != 1 {
		t.Errorf("%d mails over %d connections", n, server.Dialogs())
	}
}

// The server closes the connection while the mail is still being written.
func TestDroppedBetweenReadyAndSend(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{})
	s := sender(t, config(t, server))
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Drop()
	if err := s.Send(t.Context(), letter("ann@acme.example")); err != nil {
		t.Error(err)
	}
	if n := len(server.Messages()); n != 1 || server.Dialogs() != 2 {
		t.Errorf("%d mails over %d connections", n, server.Dialogs())
	}
}

func TestProtectedConnections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server smtptest.Config
		client func(*mail.Config)
		err    string
	}{
		"STARTTLS and a password": {
			server: smtptest.Config{STARTTLS: true, Password: password},
			client: func(c *mail.Config) { c.Encryption, c.User, c.Password = mail.StartTLS, smtptest.User, password },
		},
		"TLS and a password": {
			server: smtptest.Config{TLS: true, Password: password},
			client: func(c *mail.Config) { c.Encryption, c.User, c.Password = mail.ImplicitTLS, smtptest.User, password },
		},
		"a wrong password": {
			server: smtptest.Config{STARTTLS: true, Password: "another"},
			client: func(c *mail.Config) { c.Encryption, c.User, c.Password = mail.StartTLS, smtptest.User, password },
			err:    "; check the user in ROOMPULSE_SMTP_URL and the password",
		},
		"no STARTTLS":                {client: func(c *mail.Config) { c.Encryption = mail.StartTLS }, err: "?tls=off"},
		"no TLS from the first byte": {client: func(c *mail.Config) { c.Encryption = mail.ImplicitTLS }, err: "; it does not speak TLS from the first byte: write smtp://"},
		"TLS from the first byte": {
			server: smtptest.Config{TLS: true},
			client: func(c *mail.Config) { c.Encryption, c.Timeout = mail.StartTLS, 100*time.Millisecond }, err: "write smtps://",
		},
		"nobody there": {client: func(c *mail.Config) { c.Port = 1 }, err: "; nothing listens there: check the port"},
		// Names below .invalid never resolve (RFC 2606).
		"no such host": {client: func(c *mail.Config) { c.Host = "mail.acme.invalid" }, err: "; check the host in ROOMPULSE_SMTP_URL"},
		"a certificate of somebody unknown": {
			server: smtptest.Config{STARTTLS: true},
			client: func(c *mail.Config) { c.Encryption, c.RootCAs = mail.StartTLS, nil }, err: "; name the host in ROOMPULSE_SMTP_URL as its certificate does",
		},
		"no authentication there": {
			server: smtptest.Config{STARTTLS: true},
			client: func(c *mail.Config) { c.Encryption, c.User, c.Password = mail.StartTLS, smtptest.User, password }, err: "; it lets nobody log in here",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtptest.New(t, test.server)
			c := config(t, server)
			test.client(&c)
			s := sender(t, c)
			err := s.Ready(t.Context())
			switch {
			case test.err == "" && err != nil, test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Fatalf("error %v, want %q", err, test.err)
			case err != nil:
				if strings.Contains(err.Error(), password) {
					t.Errorf("the error shows the password: %v", err)
				}
				return
			}
			if err := s.Send(t.Context(), letter("ann@acme.example")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRefusedSenderAuthentication(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{Password: password})
	err := send(t.Context(), sender(t, config(t, server)), letter("ann@acme.example"))
	failure, ok := errors.AsType[*audit.DeliveryError](err)
	if !ok || failure.Outcome != audit.DeliveryFailed || !failure.Unavailable {
		t.Errorf("got %v, want that no mail will be taken", err)
	}
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	answer := func(code int) error { return &smtp.SMTPError{Code: code, Message: "as the test wants it"} }
	type want struct {
		outcome                audit.Delivery
		permanent, unavailable bool
		taken                  int // mails that the server has kept
	}
	for name, test := range map[string]struct {
		step smtptest.Step
		err  error
		want want
	}{
		"no such recipient":                {smtptest.Rcpt, answer(550), want{audit.DeliveryFailed, true, false, 0}},
		"recipient later":                  {smtptest.Rcpt, answer(451), want{audit.DeliveryFailed, false, false, 0}},
		"going down at the recipient":      {smtptest.Rcpt, answer(421), want{audit.DeliveryFailed, false, true, 0}},
		"dropped at the recipient":         {smtptest.Rcpt, smtptest.ErrDrop, want{audit.DeliveryFailed, false, true, 0}},
		"hanging at the recipient":         {smtptest.Rcpt, smtptest.ErrHang, want{audit.DeliveryFailed, false, true, 0}},
		"no such sender":                   {smtptest.Mail, answer(550), want{audit.DeliveryFailed, false, true, 0}},
		"hanging at the sender":            {smtptest.Mail, smtptest.ErrHang, want{audit.DeliveryFailed, false, true, 0}},
		"text refused":                     {smtptest.Taken, answer(554), want{audit.DeliveryFailed, true, false, 1}},
		"text later":                       {smtptest.Taken, answer(451), want{audit.DeliveryFailed, false, false, 1}},
		"going down after the text":        {smtptest.Taken, answer(421), want{audit.DeliveryFailed, false, true, 1}},
		"dropped after the text":           {smtptest.Taken, smtptest.ErrDrop, want{audit.DeliveryUncertain, false, true, 1}},
		"hanging after the text":           {smtptest.Taken, smtptest.ErrHang, want{audit.DeliveryUncertain, false, true, 1}},
		"dropped while the text is coming": {smtptest.Data, smtptest.ErrDrop, want{audit.DeliveryUncertain, false, true, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtptest.New(t, smtptest.Config{})
			server.Fault(func(step smtptest.Step, _ smtptest.Message) error {
				if step == test.step {
					return test.err
				}
				return nil
			})
			c := config(t, server)
			if errors.Is(test.err, smtptest.ErrHang) {
				c.Timeout = 2 * time.Second // for all that does not hang, too
			}
			s := sender(t, c)
			err := send(t.Context(), s, letter("ann@acme.example"))
			failure, ok := errors.AsType[*audit.DeliveryError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			got := want{failure.Outcome, failure.Permanent, failure.Unavailable, len(server.Messages())}
			if got != test.want {
				t.Errorf("got %+v, want %+v: %v", got, test.want, err)
			}
			server.Fault(nil)
			if err := send(t.Context(), s, letter("bo@acme.example")); err != nil {
				t.Errorf("the next mail: %v", err)
			}
		})
	}
}

// TestToldToStop: a server that is silent in the middle of a mail does not hold
// up a run that is told to stop, and a mail that it may have is uncertain.
func TestToldToStop(t *testing.T) {
	t.Parallel()
	for step, want := range map[smtptest.Step]audit.Delivery{smtptest.Rcpt: audit.DeliveryFailed, smtptest.Taken: audit.DeliveryUncertain} {
		for name, encryption := range map[string]mail.Encryption{"plain": mail.NoTLS, "STARTTLS": mail.StartTLS, "TLS": mail.ImplicitTLS} {
			t.Run(string(step)+" "+name, func(t *testing.T) {
				t.Parallel()
				server := smtptest.New(t, smtptest.Config{STARTTLS: encryption == mail.StartTLS, TLS: encryption == mail.ImplicitTLS})
				ctx, stop := context.WithCancel(t.Context())
				server.Fault(func(at smtptest.Step, _ smtptest.Message) error {
					if at != step {
						return nil
					}
					stop()
					return smtptest.ErrHang
				})
				c := config(t, server)
				c.Encryption, c.Grace = encryption, time.Millisecond
				err := send(ctx, sender(t, c), letter("ann@acme.example"))
				if failure, ok := errors.AsType[*audit.DeliveryError](err); !ok || failure.Outcome != want {
					t.Errorf("got %v, want %s", err, want)
				}
			})
		}
	}
}

// An answer that comes when nobody waits for it any more says nothing about the
// next mail.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{})
	answer := make(chan struct{})
	server.Fault(func(step smtptest.Step, m smtptest.Message) error {
		if step == smtptest.Taken && m.To == "ann@acme.example" {
			<-answer
		}
		return nil
	})
	c := config(t, server)
	c.Timeout = 2 * time.Second // for all that does not hang, too
	s := sender(t, c)
	err := send(t.Context(), s, letter("ann@acme.example"))
	close(answer)
	if failure, ok := errors.AsType[*audit.DeliveryError](err); !ok || failure.Outcome != audit.DeliveryUncertain {
		t.Errorf("got %v", err)
	}
	if err := send(t.Context(), s, letter("bo@acme.example")); err != nil {
		t.Errorf("the next mail: %v", err)
	}
}

// A server that does not greet, or goes down at once, costs no claim.
func TestNotReady(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{smtptest.ErrDrop, smtptest.ErrHang, &smtp.SMTPError{Code: 421, Message: "too many connections"}} {
		t.Run(fault.Error(), func(t *testing.T) {
			t.Parallel()
			server := smtptest.New(t, smtptest.Config{})
			server.Fault(func(smtptest.Step, smtptest.Message) error { return fault })
			c := config(t, server)
			c.Timeout = 200 * time.Millisecond
			if err := sender(t, c).Ready(t.Context()); err == nil {
				t.Error("it is ready")
			}
		})
	}
}

// TestRate: the second mail has to wait for most of a minute, and that is known at once.
func TestRate(t *testing.T) {
	t.Parallel()
	c := config(t, smtptest.New(t, smtptest.Config{}))
	c.MaxPerMinute = 1
	s := sender(t, c)
	if err := send(t.Context(), s, letter("ann@acme.example")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("ready for a second mail: %v", err)
	}
}

// parsed is a mail as a mail program reads it.
type parsed struct {
	header     netmail.Header
	text, html string
	attached   map[string]string
}

func parse(tb interface{ Fatal(...any) }, raw []byte) parsed {
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		tb.Fatal(err)
	}
	p := parsed{header: message.Header, attached: map[string]string{}}
	p.read(tb, message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), "", message.Body)
	return p
}

func (p *parsed) read(tb interface{ Fatal(...any) }, contentType, encoding, file string, body io.Reader) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		tb.Fatal(err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				tb.Fatal(err)
			}
			p.read(tb, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part.FileName(), part)
		}
	}
	switch encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		tb.Fatal(err)
	}
	lines := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case file != "":
		p.attached[file] = lines
	case kind == "text/plain":
		p.text += lines
	case kind == "text/html":
		p.html += lines
	default:
		tb.Fatal("a part of type " + kind)
	}
}

func TestMailAsReceived(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{})
	c := config(t, server)
	c.ReplyTo = &netmail.Address{Address: "help@acme.example"}
	m := letter("ann@acme.example")
	m.ToName, m.Text, m.HTML = "Zoë Łukasiewicz", "Grüße\n.\nend\n", "<p>Grüße</p>\n"
	m.Attachment = &audit.Attachment{Name: "inactive-members.html", Content: []byte("<table></table>\n")}
	if err := send(t.Context(), sender(t, c), m); err != nil {
		t.Fatal(err)
	}
	received := server.Messages()[0]
	if received.From != "docspace@acme.example" || received.To != "ann@acme.example" {
		t.Errorf("from %s to %s", received.From, received.To)
	}
	p := parse(t, received.Text)
	decode := new(mime.WordDecoder)
	for name, want := range map[string]string{
		"From": `"Acme DocSpace" <docspace@acme.example>`, "To": "Zoë Łukasiewicz <ann@acme.example>", "Reply-To": "<help@acme.example>",
		"Subject": "No recent activity in Tender", "Message-Id": "<roompulse.reminder.0123@acme.example>", "Auto-Submitted": "auto-generated",
		"Precedence": "bulk", "X-Auto-Response-Suppress": "All", "Date": "Sun, 22 Nov 2026 15:30:00 +0000", "User-Agent": "roompulse/test",
	} {
		got, err := decode.DecodeHeader(p.header.Get(name))
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", name, got, want, err)
		}
	}
	if p.text != m.Text || p.html != m.HTML || p.attached["inactive-members.html"] != "<table></table>\n" {
		t.Errorf("got %q, %q, %q", p.text, p.html, p.attached)
	}
}

func TestWrongAddress(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Config{})
	s := sender(t, config(t, server))
	for _, to := range []string{"", "ann", "a@b, c@d", "ann@acme.example\r\nBcc: x@y.example", "Ann <ann@acme.example>", "a@b>\r\nRCPT TO:<x@y.example"} {
		failure, ok := errors.AsType[*audit.DeliveryError](send(t.Context(), s, letter(to)))
		if !ok || failure.Outcome != audit.DeliveryFailed || !failure.Permanent {
			t.Errorf("%q is taken for an address", to)
		}
	}
	if n := len(server.Messages()); n > 0 {
		t.Errorf("%d mails were sent", n)
	}
}

// TestNoInjection: whatever a name, a subject or a text is, the mail has the
// headers that it must have, and says what it says.
func TestNoInjection(t *testing.T) {
	t.Parallel()
	c := mail.Config{From: netmail.Address{Address: "docspace@acme.example"}, UserAgent: "roompulse/test"}
	hostile := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("a=?:<>\"\\,;@ \t\r\n.\u2028\u202eä"))),
		rapid.SampledFrom([]string{"x\r\nBcc: thief@evil.example", "\" <thief@evil.example>, \"", "=?utf-8?q?=0D=0ABcc:_a@b?=", "a\n\n.\nQUIT\n"}))
	rapid.Check(t, func(t *rapid.T) {
		m := letter("ann@acme.example")
		m.ToName, m.Subject = hostile.Draw(t, "name"), hostile.Draw(t, "subject")
		m.Text = strings.ToValidUTF8(strings.ReplaceAll(hostile.Draw(t, "text"), "\r", ""), "?") + "\n"
		var raw bytes.Buffer
		if err := c.Write(&raw, m); err != nil {
			t.Fatal(err)
		}
		p := parse(t, raw.Bytes())
		names := 0
		for name, values := range p.header {
			names++
			if len(values) != 1 {
				t.Fatalf("%s comes %d times", name, len(values))
			}
		}
		if names != 11 || p.header.Get("Bcc") != "" {
			t.Fatalf("headers: %v", p.header)
		}
		to, err := p.header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "ann@acme.example" {
			t.Fatalf("to %v: %v", to, err)
		}
		if p.text != m.Text {
			t.Fatalf("text %q, want %q", p.text, m.Text)
		}
	})
}
