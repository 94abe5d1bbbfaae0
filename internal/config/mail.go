package config

import (
	"net"
	"net/mail"
	"net/url"
	"os"
	"strconv"

	"roompulse/internal/audit"
)

// SMTP is how to hand mails over, and whom they come from.
type SMTP struct {
	Host     string
	Port     int
	Implicit bool // TLS from the first byte; else STARTTLS
	Plain    bool // no TLS at all
	User     string
	Password Secret
	From     mail.Address
	ReplyTo  *mail.Address // nil: none is set
}

const smtpExample = "give something like smtp://user@mail.example.org:587 or smtps://user@mail.example.org"

// ReadSMTP reads and checks the ROOMPULSE_SMTP_ and ROOMPULSE_MAIL_ variables. The
// error is an [audit.UsageError], and does not quote the URL, which may have a
// password.
func ReadSMTP() (SMTP, error) {
	var s SMTP
	raw, err := ReadSecret("ROOMPULSE_SMTP_URL")
	if err != nil {
		return s, err
	}
	if raw == "" {
		return s, audit.Usagef("no mail server: set ROOMPULSE_SMTP_URL; %s", smtpExample)
	}
	if s.Password, err = ReadSecret("ROOMPULSE_SMTP_PASSWORD"); err != nil {
		return s, err
	}
	if err := s.parse(string(raw)); err != nil {
		return s, err
	}
	err = s.ReadAddresses()
	if err == nil && s.From.Address == "" {
		err = audit.Usagef("no sender: set ROOMPULSE_MAIL_FROM to an address, such as 'Acme DocSpace <docspace@acme.example>'")
	}
	return s, err
}

// ReadAddresses reads whom mails come from, as far as that is set, which is enough to look at them.
func (s *SMTP) ReadAddresses() error {
	from, err := readAddress("ROOMPULSE_MAIL_FROM")
	if err != nil {
		return err
	}
	if from != nil {
		s.From = *from
	}
	s.ReplyTo, err = readAddress("ROOMPULSE_MAIL_REPLY_TO")
	return err
}

func (s *SMTP) parse(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return audit.Usagef("ROOMPULSE_SMTP_URL is not valid: %s, with %%40 for @ in the user's name", smtpExample)
	}
	for name, values := range u.Query() {
		if name != "tls" || len(values) != 1 || values[0] != "off" || u.Scheme == "smtps" {
			return audit.Usagef("ROOMPULSE_SMTP_URL: the only parameter is tls=off, for smtp:// and a plain relay nearby")
		}
		s.Plain = true
	}
	s.Host, s.Implicit, s.User = u.Hostname(), u.Scheme == "smtps", u.User.Username()
	if s.Port, err = smtpPort(u.Port(), s.Implicit, s.Plain); err != nil {
		return err
	}
	if inURL, ok := u.User.Password(); ok {
		if s.Password != "" {
			return audit.Usagef("ROOMPULSE_SMTP_URL has a password, and ROOMPULSE_SMTP_PASSWORD is set too: keep the latter")
		}
		s.Password = Secret(inURL)
	}
	switch {
	case s.User == "" && s.Password != "":
		return audit.Usagef("ROOMPULSE_SMTP_URL names no user for the password: write smtp://user@%s", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	case s.User != "" && s.Password == "":
		return audit.Usagef("ROOMPULSE_SMTP_URL names a user: set ROOMPULSE_SMTP_PASSWORD or ROOMPULSE_SMTP_PASSWORD_FILE")
	case s.User != "" && s.Plain:
		return audit.Usagef("ROOMPULSE_SMTP_URL: with tls=off the password would cross the network readable for all; leave out the user, or tls=off")
	}
	return nil
}

func smtpPort(port string, implicit, plain bool) (int, error) {
	if port == "" {
		switch {
		case implicit:
			return 465, nil
		case plain:
			return 25, nil
		}
		return 587, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, audit.Usagef("ROOMPULSE_SMTP_URL: %s is no port", port)
	}
	return int(n), nil
}

// readAddress returns the address that the variable holds, nil if it is not set.
func readAddress(name string) (*mail.Address, error) {
	value := os.Getenv(name)
	if value == "" {
		return nil, nil //nolint:nilnil // none is set, and that is fine
	}
	address, err := mail.ParseAddress(value)
	if err != nil {
		return nil, audit.Usagef("%s %q is no mail address: write name@example.org or 'Name <name@example.org>'", name, value)
	}
	return address, nil
}
