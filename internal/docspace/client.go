package docspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"roompulse/internal/audit"
)

const (
	// DefaultTimeout is for one try of one request.
	DefaultTimeout = time.Minute
	// silence is after what time without an answer the log says so: what is waited for is seen nowhere else.
	silence = 10 * time.Second
	// DefaultRetryBudget is for all tries of one request.
	DefaultRetryBudget = 5 * time.Minute
	// DefaultFirstRetry is the wait before a request is repeated first.
	DefaultFirstRetry = time.Second

	maxBody       = 32 << 20 // a page of 100 items is about 100 KiB
	doubtfulTries = 3        // of a host that has not answered as a portal yet: 3 seconds
	optionalTries = 6        // 30 seconds
)

// Config says which portal to ask, and how.
type Config struct {
	Host string // as [ParseHost] takes it
	Key  string // the API key; no printing of a Config shows it
	// AllowHTTP lets the key go over plain http to other hosts than this machine.
	AllowHTTP bool
	// MaxRequestsPerMinute and MaxParallel limit the requests; 0 is no limit.
	MaxRequestsPerMinute, MaxParallel int
	// Timeout limits one try, body included; 0 is [DefaultTimeout].
	Timeout time.Duration
	// RetryBudget is how long a failing request is repeated; 0 is [DefaultRetryBudget].
	RetryBudget time.Duration
	// FirstRetry is how long to wait before a request is repeated first; later
	// waits double up to a minute. 0 is [DefaultFirstRetry].
	FirstRetry time.Duration
	Logger     *slog.Logger      // nil: no log
	UserAgent  string            // empty: "roompulse"
	Transport  http.RoundTripper // nil: the network
}

// Format prints the host alone, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "docspace.Config(%q)", c.Host) }

// LogValue logs the host alone.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.Host) }

// MarshalJSON gives the host alone.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.Host) }

// Client asks one portal. It is safe for concurrent use.
type Client struct {
	baseURL string
	timeout time.Duration
	budget  time.Duration
	log     *slog.Logger
	http    *http.Client
	limiter *limiter
	retries failsafe.Executor[envelope]

	// The key lives in these closures: printing a Client cannot show it.
	authorize func(*http.Request)
	hideKey   func(string) string

	answered                   atomic.Bool // as a portal, at least once
	silent                     atomic.Bool // the log says that the portal does not answer
	requests, again, throttled atomic.Int64
}

// New checks the configuration; it sends nothing.
func New(cfg Config) (*Client, error) {
	baseURL, err := ParseHost(cfg.Host, cfg.AllowHTTP)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSpace(cfg.Key)
	if key == "" {
		return nil, errors.New("no API key; " + hintKey)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key holds spaces, line breaks or other characters that no key has; copy it again")
	}
	c := &Client{
		baseURL: baseURL,
		timeout: orDefault(cfg.Timeout, DefaultTimeout),
		budget:  orDefault(cfg.RetryBudget, DefaultRetryBudget),
		log:     cfg.Logger,
		limiter: newLimiter(cfg.MaxRequestsPerMinute, cfg.MaxParallel),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	agent := orDefault(cfg.UserAgent, "roompulse")
	c.authorize = func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("User-Agent", agent)
	}
	c.hideKey = func(s string) string { return strings.ReplaceAll(s, key, "[redacted]") }
	transport := cfg.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = t.MaxIdleConns // one host is all there is
		transport = t
	}
	c.http = &http.Client{
		Transport: transport,
		// Another host must not get the key, and another path is not the API.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.retries = failsafe.With(retrypolicy.NewBuilder[envelope]().
		HandleIf(func(_ envelope, err error) bool { return c.retryable(err) }).
		WithMaxRetries(-1).
		WithMaxDuration(c.budget).
		WithBackoff(orDefault(cfg.FirstRetry, DefaultFirstRetry), time.Minute).
		WithJitterFactor(0.2).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[envelope]) time.Duration {
			if e := asError(exec.LastError()); e != nil && e.after > 0 {
				return e.after
			}
			return -1 // the backoff
		}).
		OnRetryScheduled(c.logRetry).
		ReturnLastFailure().
		Build())
	return c, nil
}

func orDefault[T comparable](v, fallback T) T {
	if v == *new(T) {
		return fallback
	}
	return v
}

// BaseURL is the portal's address, as [ParseHost] spells it.
func (c *Client) BaseURL() string { return c.baseURL }

// Traffic is what this client has asked so far.
func (c *Client) Traffic() audit.Traffic {
	return audit.Traffic{Requests: c.requests.Load(), Retries: c.again.Load(), Throttled: c.throttled.Load()}
}

// call is one thing to ask.
type call struct {
	op    string // "list rooms", for errors
	path  string
	query url.Values
	scope string // that the key needs
	// single calls are about one room, file or folder: what forbids or misses
	// them says nothing about the rest.
	single bool
	// optional calls are for what a portal may lack, with all failures that
	// come of that; they are not worth the whole time budget.
	optional bool
}

// envelope is what DocSpace wraps its answers in.
type envelope struct {
	Response jsontext.Value `json:"response"`
	Count    int            `json:"count"`
	Total    *int           `json:"total"` // nil where the portal does not say
	date     time.Time      // the portal's clock, zero if it did not say
}

// get asks until there is an answer, the failure is final, or the time budget is spent.
func (c *Client) get(ctx context.Context, call call) (envelope, error) {
	env, err := c.retries.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[envelope]) (envelope, error) {
		if exec.IsRetry() {
			c.again.Add(1)
		}
		env, err := c.try(ctx, call)
		if e := asError(err); e != nil {
			c.giveUp(e, call, exec)
		}
		return env, err
	})
	if err != nil && asError(err) == nil {
		err = fmt.Errorf("%s: %w", call.op, err) // canceled
	}
	return env, err
}

// giveUp makes a failure final that is not worth another try.
func (c *Client) giveUp(e *Error, call call, exec failsafe.Execution[envelope]) {
	switch {
	case e.retry == doubtful && !c.answered.Load() && exec.Attempts() >= doubtfulTries,
		call.optional && exec.Attempts() >= optionalTries,
		exec.ElapsedTime() >= c.budget: // the policy's own test is ">", and its last wait ends just there
		e.retry = final
	}
	// To come back earlier than asked would be refused, to wait for nothing is no use either.
	if e.after > 0 && e.after > c.budget-exec.ElapsedTime() {
		e.retry = final
		e.Hint = fmt.Sprintf("it asks to be left alone for %s", e.after)
	}
}

func (c *Client) retryable(err error) bool {
	e := asError(err)
	return e != nil && e.retry != final
}

func (c *Client) logRetry(event failsafe.ExecutionScheduledEvent[envelope]) {
	e := asError(event.LastError())
	level := slog.LevelWarn
	if event.Attempts() < doubtfulTries && event.Delay < 5*time.Second {
		level = slog.LevelDebug // it passes, or the error will tell in a moment
	}
	c.log.Log(event.Context(), level, "request failed, trying again",
		slog.String("op", e.Op),
		slog.String("path", e.Path),
		slog.Int("status", e.Code),
		slog.String("reason", e.Message),
		slog.Int("try", event.Attempts()),
		slog.Duration("wait", event.Delay.Round(time.Millisecond)))
}

// try asks once.
func (c *Client) try(ctx context.Context, call call) (envelope, error) {
	if err := c.limiter.acquire(ctx); err != nil {
		return envelope{}, err
	}
	defer c.limiter.release()
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, c.baseURL+call.path, http.NoBody)
	if err != nil {
		return envelope{}, c.unexpected(call, "%v", err)
	}
	req.URL.RawQuery = call.query.Encode()
	req.Header.Set("Accept", "application/json")
	c.authorize(req)

	sent := time.Now()
	told := time.AfterFunc(silence, func() {
		if c.silent.CompareAndSwap(false, true) {
			c.log.WarnContext(ctx, "the portal has not answered yet", slog.String("op", call.op), slog.String("portal", c.baseURL),
				slog.Duration("waited", silence), slog.Duration("timeout", c.timeout))
		}
	})
	defer told.Stop()
	c.requests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		return envelope{}, c.explainFailure(ctx, call, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		e := c.explainStatus(call, resp)
		if e.Code == http.StatusTooManyRequests {
			c.throttled.Add(1)
			c.limiter.throttled(sent, min(e.after, c.budget))
		}
		return envelope{}, e
	}
	buffer := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buffer)
	buffer.Reset()
	_, err = buffer.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	body := buffer.Bytes()
	switch {
	case err != nil:
		return envelope{}, c.explainFailure(ctx, call, err)
	case len(body) > maxBody:
		return envelope{}, c.unexpected(call, "the answer is larger than %d MiB", maxBody>>20)
	}
	env, err := c.open(call, body, isHTML(resp.Header, body))
	if err != nil {
		return envelope{}, err
	}
	c.answered.Store(true)
	c.silent.Store(false)
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		env.date = date.UTC()
	}
	return env, nil
}

// bodies are buffers for answers; nothing keeps a part of them.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// responses are buffers for what envelopes hold: nearly half of what decoding a page would allocate.
var responses = sync.Pool{New: func() any { return new(jsontext.Value) }}

// free gives the response's buffer back, by who has kept no part of it. Not all have to.
func (e *envelope) free() {
	e.Response = e.Response[:0]
	responses.Put(&e.Response)
}

// open takes the answer out of its envelope.
func (c *Client) open(call call, body []byte, html bool) (envelope, error) {
	env := envelope{Response: *responses.Get().(*jsontext.Value)}
	err := unmarshal(body, &env)
	if err == nil && len(env.Response) > 0 {
		return env, nil
	}
	e := c.unexpected(call, "the answer is not the one of a DocSpace portal")
	e.kind, e.retry, e.Hint = audit.ErrUnavailable, doubtful, hintHost
	switch {
	case html:
		e.Message = "a web page instead of the API's answer"
	case !json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		e.retry, e.Message, e.Hint = transient, "the answer is cut or damaged", hintLater
	}
	return envelope{}, e
}

// unmarshal takes what json.Unmarshal does, in a quarter of the time.
func unmarshal(data []byte, v any) error {
	return jsonv2.Unmarshal(data, v, jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))
}

// decode reads the response proper.
func decode[T any](c *Client, call call, env envelope) (T, error) {
	var v T
	if unmarshal(env.Response, &v) == nil {
		return v, nil
	}
	// The faster decoder words an error now one way, now another.
	if err := json.Unmarshal(env.Response, &v); err != nil {
		return v, c.unexpected(call, "the answer has another form than expected: %v", err)
	}
	return v, nil
}

func asError(err error) *Error {
	e, _ := errors.AsType[*Error](err) // nil if there is none
	return e
}
