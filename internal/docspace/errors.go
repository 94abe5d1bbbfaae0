package docspace

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"roompulse/internal/audit"
)

// Error is a request that the portal did not answer as asked. What it means
// for the caller is told by errors.Is with audit.ErrRefused,
// audit.ErrNotReadable, audit.ErrGone and audit.ErrUnavailable.
type Error struct {
	Op      string // what was wanted: "list rooms"
	Method  string
	Host    string // scheme, name and port
	Path    string // without query
	Code    int    // HTTP status, 0 if there was no answer
	Message string // what happened, in one line and without secrets
	Hint    string // what to do about it, may be empty

	kind  error // one of audit's, nil if none fits
	cause error // nil if the portal answered
	retry retryClass
	after time.Duration // what the portal asks to wait before the next try
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s%s", e.Op, e.Method, e.Host, e.Path)
	if e.Code != 0 {
		b.WriteString(": " + strconv.Itoa(e.Code))
	}
	b.WriteString(": " + e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap gives what the failure means and what caused it.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.kind != nil {
		errs = append(errs, e.kind)
	}
	if e.cause != nil {
		errs = append(errs, e.cause)
	}
	return errs
}

// retryClass says whether asking again can help.
type retryClass int

const (
	// final failures come again however often one asks.
	final retryClass = iota
	// transient failures pass: the whole time budget is theirs.
	transient
	// doubtful failures look like another host's. Coming from a host that has
	// answered as a portal before they are transient; else a few tries must do,
	// so that a wrong address is reported in seconds.
	doubtful
)

const (
	hintHost  = "check DOCSPACE_API_HOST"
	hintKey   = "make a key as the portal's owner or a DocSpace admin with the scope *:read and set DOCSPACE_API_KEY"
	hintLater = "try again later"

	// How much of an error's body is read, and of the portal's words shown.
	maxErrorBody    = 64 << 10
	maxErrorMessage = 200
)

// refusal is what bodies of failed requests can say. The server sends stack
// traces beside it; they are not read.
type refusal struct {
	Error *struct {
		Message string `json:"message"`
		Type    string `json:"type"`
	} `json:"error"`
	Response *problem `json:"response"`
	problem
}

// problem is ASP.NET's way to speak of errors: bare, or as a response.
type problem struct {
	Title  string              `json:"title"`
	Errors map[string][]string `json:"errors"`
}

func (p problem) text() string {
	var details []string
	for _, field := range slices.Sorted(maps.Keys(p.Errors)) {
		details = append(details, p.Errors[field]...)
	}
	if len(details) > 0 {
		return strings.Join(details, " ")
	}
	return p.Title
}

// explainStatus turns an answer that is no success into an Error.
func (c *Client) explainStatus(call call, resp *http.Response) *Error {
	// A cut body only makes the explanation shorter.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	body = bytes.TrimSpace(body)
	html := isHTML(resp.Header, body)
	var said refusal
	known := !html && json.Unmarshal(body, &said) == nil // DocSpace's own JSON; its fields may still be empty
	var words string
	switch {
	case said.Error != nil:
		words = said.Error.Message
	case said.Response != nil && said.Response.text() != "":
		words = said.Response.text()
	case known:
		words = said.text()
	case len(body) > 0 && body[0] == '"':
		_ = json.Unmarshal(body, &words) // no string after all: no words
	}
	words = c.quote(words)

	e := c.newError(call)
	e.Code = resp.StatusCode
	e.Message = words
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		e.Message, e.Hint = "the host redirects and redirects are not followed", hintHost
		if to, err := resp.Location(); err == nil && to.Host != "" {
			e.Message = fmt.Sprintf("the host redirects to %s://%s and redirects are not followed", to.Scheme, c.quote(to.Host))
			if from := resp.Request.URL; to.Host != from.Host || to.Scheme != from.Scheme {
				e.Hint = "if that is the portal, set DOCSPACE_API_HOST to it"
			}
		}
	case code == http.StatusUnauthorized:
		e.kind, e.Message, e.Hint = audit.ErrRefused, "the API key is not accepted", hintKey
	case code == http.StatusPaymentRequired:
		e.kind = audit.ErrRefused
		e.Message = withWords("the portal's plan does not include this or is not paid", words)
		e.Hint = "see the portal's page Payments; the audit trail needs a plan that has it"
	case code == http.StatusForbidden:
		c.explainForbidden(e, call, body, said, words)
	case code == http.StatusNotFound && said.Error != nil && said.Error.Message != "":
		e.Message = withWords("not found", words)
		if call.single {
			e.kind, e.Message = audit.ErrGone, withWords("it does not exist any more", words)
		}
	case code == http.StatusNotFound:
		e.kind, e.Message, e.Hint = audit.ErrRefused, "this is no DocSpace portal, or it is suspended, or too old for this request", hintHost
		if html {
			e.retry = doubtful
		}
	case code == http.StatusTooManyRequests:
		e.kind, e.retry, e.after = audit.ErrUnavailable, transient, retryAfter(resp.Header)
		e.Message = "the portal had too many requests"
		e.Hint = "lower --max-requests-per-minute and --max-parallel; other programs and browsers of the key's owner count too"
	case code == http.StatusRequestTimeout || code >= 500:
		e.kind, e.retry, e.after = audit.ErrUnavailable, transient, retryAfter(resp.Header)
		e.Message, e.Hint = withWords("the portal failed", words), hintLater
		if html {
			e.Message = "a web page instead of the API's answer"
		}
	case html:
		e.retry, e.Message, e.Hint = doubtful, "a web page instead of the API's answer", hintHost
	case words == "":
		e.Message = strings.ToLower(http.StatusText(code))
	}
	return e
}

// explainForbidden tells the ways apart in which a portal says 403. What one
// room is refused with never stands for all: if the reason concerns the whole
// portal, the next list says so.
func (c *Client) explainForbidden(e *Error, call call, body []byte, said refusal, words string) {
	e.kind = audit.ErrRefused
	if call.single {
		e.kind = audit.ErrNotReadable
	}
	switch {
	case len(body) == 0:
		e.Message = "the API key lacks the scope " + call.scope + ", or the portal is being restored or moved"
		e.Hint = hintKey
	case body[0] == '"':
		e.Message = withWords("the portal does not serve this address", words)
		e.Hint = "allow this machine's IP address in the portal's security settings"
	case said.Error != nil && strings.HasSuffix(said.Error.Type, ".InvalidOperationException"):
		// DocSpace says 403 for this kind of failure of its own code, too.
		e.Message = withWords("the portal denies access", words)
		if !call.single {
			e.Hint = "or it failed inside, see its log; if it is the right that lacks: " + hintKey
		}
	case said.Error != nil:
		e.Message = withWords("the key's owner may not read this", words)
		if !call.single {
			e.Hint = hintKey
		}
	default:
		e.Message = withWords("the portal, or something before it, denies access", words)
		e.Hint = "it may be being restored, moved or encrypted"
	}
}

// explainFailure turns the lack of an answer into an Error. A canceled ctx is
// no failure of the portal and comes back as it is.
func (c *Client) explainFailure(ctx context.Context, call call, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	dns, unknownName := errors.AsType[*net.DNSError](err)
	cert, badCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	step := "" // of a connection
	if op, ok := errors.AsType[*net.OpError](err); ok {
		step = op.Op
	}
	e := c.newError(call)
	e.kind, e.retry, e.cause = audit.ErrUnavailable, transient, err
	e.Hint = "check the network; " + hintLater
	switch {
	case unknownName:
		e.retry, e.Message, e.Hint = doubtful, "the host's name is not known", hintHost+" and the network"
		if !dns.IsNotFound {
			e.Message = "the host's name could not be looked up"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.retry, e.Message, e.Hint = doubtful, "nothing answers at this address (connection refused)", hintHost+" and that the portal is running"
	case badCert:
		e.retry, e.Message = final, "the host's certificate is not valid: "+c.quote(cert.Err.Error())
		e.Hint = hintHost + "; if the portal has a certificate of your own authority, name its file in SSL_CERT_FILE"
	case noTLS, errors.Is(err, http.ErrSchemeMismatch), step == "remote error", step == "local error":
		e.retry, e.Message, e.Hint = doubtful, "the host does not speak https as it should", hintHost+" and its port"
	case step == "dial", step == "proxyconnect":
		e.retry, e.Message, e.Hint = doubtful, "no connection: "+c.quote(withoutURL(err).Error()), hintHost+" and the network"
	case isTimeout(err):
		e.Message = "no complete answer within " + c.timeout.String()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		e.Message = "the connection was cut"
	default:
		e.Message = c.quote(withoutURL(err).Error())
	}
	return e
}

func (c *Client) newError(call call) *Error {
	return &Error{Op: call.op, Method: http.MethodGet, Host: c.baseURL, Path: c.hideKey(call.path)}
}

// unexpected is an answer of a portal in a form that is not its own.
func (c *Client) unexpected(call call, format string, args ...any) *Error {
	e := c.newError(call)
	e.Code = http.StatusOK
	e.Message = c.quote(fmt.Sprintf(format, args...))
	return e
}

// quote makes the portal's words fit to be shown: one line, not long, nothing
// that a terminal obeys, and not the key, should the portal echo it.
func (c *Client) quote(s string) string {
	s = c.hideKey(s)
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if r := []rune(s); len(r) > maxErrorMessage {
		s = string(r[:maxErrorMessage]) + "..."
	}
	return s
}

func withWords(message, words string) string {
	if words == "" {
		return message
	}
	return message + " (" + words + ")"
}

func isHTML(header http.Header, body []byte) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// withoutURL takes off what repeats the query.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && t.Timeout()
}

// retryAfter reads the header of that name: seconds, or a date by the portal's clock.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(0, seconds), 24*60*60)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
