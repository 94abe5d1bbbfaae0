// Package smtptest is a mail server in the test's process that keeps what it is
// given, and misbehaves as it is told.
package smtptest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Step is a moment in the dialogue about a mail.
type Step string

// The steps, in their order.
const (
	Connect Step = "connect" // the client is connected, and was told nothing yet
	Mail    Step = "mail"    // MAIL FROM came
	Rcpt    Step = "rcpt"    // RCPT TO came
	Data    Step = "data"    // DATA came, and the text is not read yet
	Taken   Step = "taken"   // the mail is kept, and the client does not know it yet
)

// What a fault can do besides answering with an [smtp.SMTPError].
var (
	// ErrDrop closes the connection without an answer.
	ErrDrop = errors.New("drop the connection")
	// ErrHang gives no answer until the test ends.
	ErrHang = errors.New("hang")
)

// Message is a mail that the server took.
type Message struct {
	From, To string
	Text     []byte // headers and body as they came
}

// Config says what the server asks for.
type Config struct {
	STARTTLS bool
	TLS      bool   // from the first byte
	Password string // of User; empty: nobody needs one
}

// User is who can log in.
const User = "robot@acme.example"

// Server is a mail server.
type Server struct {
	Address string // host:port
	RootCAs *x509.CertPool

	config Config
	done   chan struct{}

	mu       sync.Mutex
	messages []Message
	conns    []net.Conn
	fault    func(Step, Message) error
}

// New starts a server, which ends with the test.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Address: listener.Addr().String(), config: c, done: make(chan struct{}), RootCAs: x509.NewCertPool()}
	server := smtp.NewServer(smtp.BackendFunc(s.open))
	server.Domain = "localhost"
	server.AllowInsecureAuth = !c.STARTTLS && !c.TLS
	server.ErrorLog = quiet{}
	if c.STARTTLS || c.TLS {
		identity := httptest.NewTLSServer(nil) // only for its certificate, which is for 127.0.0.1
		s.RootCAs.AddCert(identity.Certificate())
		settings := &tls.Config{Certificates: identity.TLS.Certificates, MinVersion: tls.VersionTLS12}
		identity.Close()
		if c.TLS {
			listener = tls.NewListener(listener, settings)
		} else {
			server.TLSConfig = settings
		}
	}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // ends with an error when it is closed
		close(served)
	}()
	tb.Cleanup(func() {
		close(s.done)
		_ = server.Close()
		<-served
	})
	return s
}

// Fault sets what happens at each step; nil stands for good behaviour. The
// message has at each step what is known then.
func (s *Server) Fault(f func(Step, Message) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Messages returns what the server took, in its order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Dialogs returns how many connections were made.
func (s *Server) Dialogs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Drop closes all connections, as servers do on which nothing happens for a while.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
}

func (s *Server) open(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	s.conns = append(s.conns, c.Conn())
	s.mu.Unlock()
	session := &session{server: s, conn: c}
	err := session.reach(Connect)
	return session, err
}

// session is the dialogue over one connection.
type session struct {
	server *Server
	conn   *smtp.Conn
	known  bool // logged in
	Message
}

func (d *session) reach(step Step) error {
	d.server.mu.Lock()
	fault := d.server.fault
	d.server.mu.Unlock()
	if fault == nil {
		return nil
	}
	err := fault(step, d.Message)
	if errors.Is(err, ErrHang) {
		<-d.server.done
	}
	if errors.Is(err, ErrDrop) {
		_ = d.conn.Conn().Close()
	}
	return err
}

// AuthMechanisms implements [smtp.AuthSession].
func (d *session) AuthMechanisms() []string {
	if d.server.config.Password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements [smtp.AuthSession].
func (d *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != User || password != d.server.config.Password {
			return smtp.ErrAuthFailed
		}
		d.known = true
		return nil
	}), nil
}

// Mail implements [smtp.Session].
func (d *session) Mail(from string, _ *smtp.MailOptions) error {
	if d.server.config.Password != "" && !d.known {
		return smtp.ErrAuthRequired
	}
	d.Message = Message{From: from}
	return d.reach(Mail)
}

// Rcpt implements [smtp.Session].
func (d *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.To = to
	return d.reach(Rcpt)
}

// Data implements [smtp.Session].
func (d *session) Data(r io.Reader) error {
	if err := d.reach(Data); err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	d.Text = text
	d.server.mu.Lock()
	d.server.messages = append(d.server.messages, d.Message)
	d.server.mu.Unlock()
	return d.reach(Taken)
}

// Reset implements [smtp.Session].
func (d *session) Reset() { d.Message = Message{} }

// Logout implements [smtp.Session].
func (d *session) Logout() error { return nil }

// quiet drops what the server would log: connections that break are the point.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
