// Package mail hands mails to an SMTP server, over one connection for many of
// them, and tells what became of each.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/time/rate"

	"roompulse/internal/audit"
)

// Encryption says how the connection is protected.
type Encryption int

const (
	// StartTLS begins in plain text and ends if the server has no STARTTLS.
	StartTLS Encryption = iota
	// ImplicitTLS is encrypted from the first byte.
	ImplicitTLS
	// NoTLS is for a relay on the same machine or network; it takes no password.
	NoTLS
)

const (
	// defaultTimeout is how long the dialogue about one mail may take, all answers
	// together: RFC 5321 (4.5.3.2.6) lets a server think for 10 minutes about a mail
	// that it has read. To give up sooner makes mails uncertain that were sent.
	defaultTimeout = 10 * time.Minute
	// connectTimeout is how long it may take until the server is ready for a mail:
	// to connect, to greet, to log in. Nothing is lost by giving up then.
	connectTimeout = time.Minute
	// defaultGrace is how long a mail may still take when the run is told to stop:
	// a server that answers at all does so in less, and who said stop will not wait longer.
	defaultGrace = 30 * time.Second
)

// Config says which server takes the mails, and whom they come from.
type Config struct {
	Host       string
	Port       int
	Encryption Encryption
	User       string // empty: no authentication
	Password   string
	From       mail.Address
	ReplyTo    *mail.Address // nil: answers go to From
	// MaxPerMinute limits how many mails are sent; 0: no limit.
	MaxPerMinute int
	// Timeout is for the whole dialogue about one mail; 0: 10 minutes.
	Timeout time.Duration
	// Grace is what is left of it when the run is told to stop; 0: 30 seconds.
	Grace     time.Duration
	RootCAs   *x509.CertPool // nil: those of the system
	UserAgent string
}

// Sender sends mails. It is for one goroutine.
type Sender struct {
	config Config
	// The library has one timeout for all that a client does: connector has that
	// for getting ready, client that for a mail.
	connector, client *gomail.Client
	conn              *smtp.Client // nil: not connected
	limit             *rate.Limiter
}

// New returns a sender; it does not connect yet.
func New(c Config) (*Sender, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	s := &Sender{config: c, limit: rate.NewLimiter(rate.Inf, 1)}
	options := []gomail.Option{
		gomail.WithPort(c.Port),
		gomail.WithTLSConfig(&tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}),
	}
	switch c.Encryption {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if c.User != "" {
		options = append(options,
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(c.Password))
	}
	var err error
	if s.connector, err = gomail.NewClient(c.Host, append(options, gomail.WithTimeout(c.connectTimeout()))...); err != nil {
		return nil, fmt.Errorf("set up SMTP to %s: %w", c.Host, err)
	}
	if s.client, err = gomail.NewClient(c.Host, append(options, gomail.WithTimeout(c.Timeout))...); err != nil {
		return nil, fmt.Errorf("set up SMTP to %s: %w", c.Host, err)
	}
	if c.MaxPerMinute > 0 {
		s.limit.SetLimit(rate.Limit(float64(c.MaxPerMinute) / 60))
	}
	return s, nil
}

func (c Config) connectTimeout() time.Duration { return min(connectTimeout, c.Timeout) }

// Ready waits until the next mail may be sent and the server is there to take
// it. It is asked before a mail is claimed, so that a server that is down costs
// nothing.
func (s *Sender) Ready(ctx context.Context) error {
	if err := s.limit.Wait(ctx); err != nil {
		return err
	}
	return s.connect(ctx)
}

// connect makes sure that there is a connection, and that the server answers.
func (s *Sender) connect(ctx context.Context) error {
	if s.conn != nil && s.conn.UpdateDeadline(s.config.connectTimeout()) == nil && s.connector.ResetWithSMTPClient(s.conn) == nil {
		return nil
	}
	s.drop()
	conn, err := s.connector.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to the SMTP server %s port %d: %w; %s", s.config.Host, s.config.Port, err, advice(err))
	}
	s.conn = conn
	return nil
}

// advice says what to do about a server that is not ready.
func advice(err error) string {
	answer, answered := errors.AsType[*textproto.Error](err)
	network, broken := errors.AsType[net.Error](err)
	switch text := err.Error(); {
	case is[*net.DNSError](err):
		return "check the host in ROOMPULSE_SMTP_URL, and whether this machine can look up names"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check the port in ROOMPULSE_SMTP_URL, and whether the server runs"
	case is[*tls.CertificateVerificationError](err):
		return "name the host in ROOMPULSE_SMTP_URL as its certificate does; if an authority of your own issued it, let this machine trust that"
	case is[tls.RecordHeaderError](err):
		return "it does not speak TLS from the first byte: write smtp:// in ROOMPULSE_SMTP_URL, for STARTTLS"
	// For these two the library has no other sign.
	case strings.Contains(text, "not support STARTTLS"):
		return "if it is a relay on this machine or network, add ?tls=off to ROOMPULSE_SMTP_URL; if it speaks TLS from the first byte, write smtps://"
	case strings.Contains(text, "not support SMTP AUTH"):
		return "it lets nobody log in here: leave the user out of ROOMPULSE_SMTP_URL and unset the password, or check the port"
	case answered && answer.Code/10 == 53: // 530, 534, 535, 538: of authentication
		return "check the user in ROOMPULSE_SMTP_URL and the password"
	case broken && network.Timeout():
		return "check host and port in ROOMPULSE_SMTP_URL, and firewalls; if it speaks TLS from the first byte, write smtps://"
	}
	return "check ROOMPULSE_SMTP_URL, and what the server's log says"
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Send hands a mail over. A [*audit.DeliveryError] says what became of it if the
// server did not confirm it. Servers close connections on which nothing happens for
// a while, so it connects again if need be. A dialogue that has begun is given time to
// come to its end even if the run is told to stop: to break it off leaves its outcome unknown.
func (s *Sender) Send(ctx context.Context, m audit.Mail) error {
	msg, err := s.config.message(m)
	if err != nil {
		return &audit.DeliveryError{Outcome: audit.DeliveryFailed, Permanent: true, Err: err}
	}
	if err := s.connect(ctx); err != nil {
		return &audit.DeliveryError{Outcome: audit.DeliveryFailed, Unavailable: true, Err: err}
	}
	answered := s.hurry(ctx)
	err = s.client.SendWithSMTPClient(s.conn, msg)
	answered()
	if msg.IsDelivered() {
		if err != nil { // of what came after
			s.drop()
		}
		return nil
	}
	failure := outcome(err)
	if failure.Unavailable { // an answer that comes late would be taken for that to the next question
		s.drop()
	}
	return failure
}

// hurry ends the connection when the context has been done for so long as a mail
// may take then, unless answered is called before.
func (s *Sender) hurry(ctx context.Context) (answered func()) {
	wire, done := s.conn.Text, make(chan struct{}) // conn itself is locked while it waits for an answer
	go func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		select {
		case <-done:
		case <-time.After(s.config.Grace):
			_ = wire.Close()
		}
	}()
	return func() { close(done) }
}

// outcome tells apart what the server refused, what it never got, and what it
// may have got.
func outcome(err error) *audit.DeliveryError {
	failed := &audit.DeliveryError{Outcome: audit.DeliveryFailed, Unavailable: true, Err: err}
	sendErr, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return failed
	}
	code := sendErr.ErrorCode()
	const serviceNotAvailable = 421
	answered := code != 0 && code != serviceNotAvailable
	switch sendErr.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		failed.Unavailable = !answered
		failed.Permanent = code >= 500
	case gomail.ErrWriteContent, gomail.ErrSMTPDataClose:
		if code == 0 {
			return &audit.DeliveryError{Outcome: audit.DeliveryUncertain, Unavailable: true, Err: err}
		}
		failed.Unavailable = !answered
		failed.Permanent = code >= 500
	default: // the server does not take mails from us, or is gone
	}
	return failed
}

// Close ends the connection.
func (s *Sender) Close() {
	if s.conn != nil && s.conn.UpdateDeadline(s.config.connectTimeout()) == nil {
		_ = s.conn.Quit() // all mails are settled
	}
	s.drop()
}

// drop ends the connection without a word.
func (s *Sender) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// Write writes a mail as a sender with this configuration would send it.
func (c Config) Write(w io.Writer, m audit.Mail) error {
	msg, err := c.message(m)
	if err != nil {
		return err
	}
	_, err = msg.WriteTo(w)
	return err
}

func (c Config) message(m audit.Mail) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	// The library's AddToFormat pastes name and address together before it
	// parses them: a name could bring an address along.
	to, err := mail.ParseAddress("<" + m.To + ">")
	if err != nil || to.Address != m.To {
		return nil, fmt.Errorf("%q is no mail address", m.To)
	}
	// net/mail leaves a backslash as it is in a name that it encodes, and cannot
	// read that name again.
	to.Name = strings.ReplaceAll(header(m.ToName), `\`, "/")
	if c.From.Address != "" { // else it is only to be looked at
		msg.FromMailAddress(&c.From)
	}
	msg.ToMailAddress(to)
	if c.ReplyTo != nil {
		msg.ReplyToMailAddress(c.ReplyTo)
	}
	msg.Subject(header(m.Subject))
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader(gomail.HeaderUserAgent, c.UserAgent)
	// Robots that answer for people out of office heed one or the other.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBulk()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	if a := m.Attachment; a != nil {
		if err := msg.AttachReader(a.Name, bytes.NewReader(a.Content)); err != nil {
			return nil, fmt.Errorf("attach %s: %w", a.Name, err)
		}
	}
	return msg, nil
}

// header keeps a value of a header on one line, whatever a template made of it.
func header(s string) string { return strings.TrimSpace(audit.Plain(s)) }
