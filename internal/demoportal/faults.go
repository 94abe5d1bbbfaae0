package demoportal

import (
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"roompulse/internal/demoportal/world"
)

// Faults is how a portal misbehaves, or what its plan and settings refuse.
// The zero value is a portal in good order. Change it with Portal.SetFaults.
type Faults struct {
	// Ties is the order of rows with the same date, and of people with the
	// same first name.
	Ties TieOrder
	// Audit is whether the audit endpoints work.
	Audit AuditMode
	// Refuse answers every request with this status (401 or 403) and an empty body, 0 none.
	Refuse int
	// Suspended answers 404 without an envelope on every route.
	Suspended bool
	// Unreadable says of which rooms the key's owner sees nothing: the member
	// list is empty, the log is refused. Nil means none.
	Unreadable func(roomID string) bool
	// RateLimit refuses with 429. The zero value is no limit, as shipped.
	RateLimit RateLimit
	// Latency delays every answer.
	Latency time.Duration
	// DateSkew is added to the Date header, as by a proxy with a wrong clock.
	DateSkew time.Duration
	// Script decides request by request; nil means no faults. See RandomFaults.
	Script func(Request) Fault
	// Before is called before a request is answered, outside of all locks: it
	// may act in the world and set faults.
	Before func(Request)
	// Garble returns what to list in place of an audit event, "" to leave it.
	Garble func(world.Event) string
}

// TieOrder is the order of rows that the server's ORDER BY leaves open.
type TieOrder int

// The tie orders.
const (
	Stable   TieOrder = iota // by falling id
	Shuffled                 // anew on every answer
	// CutWrongly orders them by the offset and size of the page: pages
	// overlap and lose rows, the same way whenever they are asked again with
	// the same size.
	CutWrongly
)

// AuditMode is what the portal's plan and settings make of the audit endpoints.
type AuditMode int

// The audit modes.
const (
	AuditOn      AuditMode = iota
	AuditMissing           // no audit option: filters are ignored, the newest 20 rows come
	AuditHidden            // the section is hidden: 402
)

// Fault is what goes wrong with one answer.
type Fault int

// The faults.
const (
	NoFault       Fault = iota
	ServerError         // 500 with an error envelope
	BadGateway          // 502 with a page of the proxy
	Unavailable         // 503 with an empty body
	TooMany             // 429 as by the rate limit
	Truncated           // 200 with the first half of the JSON
	CutConnection       // the connection breaks in the middle of the body
	Hang                // no answer until the client gives up
	EmptyBody           // 200 with nothing
)

// RandomFaults returns a script that picks one of kinds with probability p. Whether a
// request fails depends on the seed, its address and how often that was asked
// before, not on what goes on beside it: parallel runs repeat, and asking
// again helps.
func RandomFaults(seed uint64, p float64, kinds ...Fault) func(Request) Fault {
	var mu sync.Mutex
	asked := make(map[string]uint64)
	return func(r Request) Fault {
		mu.Lock()
		asked[r.URL]++
		n := asked[r.URL]
		mu.Unlock()
		h := fnv.New64a()
		_, _ = h.Write([]byte(r.URL))                   // never fails
		rng := rand.New(rand.NewPCG(seed^h.Sum64(), n)) //nolint:gosec // has to be repeatable
		if rng.Float64() >= p {
			return NoFault
		}
		return kinds[rng.IntN(len(kinds))]
	}
}

// RateLimit is DocSpace's limit for one person, all keys together.
type RateLimit struct {
	PerMinute  int // in any sixty seconds; 0: no limit
	Concurrent int // at one time; 0: no limit
	RetryAfter bool
	// Now is the limiter's clock, the portal's if nil.
	Now func() time.Time
}

// limiter keeps the instants of the requests let through in the last minute.
type limiter struct {
	mu      sync.Mutex
	passed  []time.Time
	running int
}

// enter lets a request in or says how to refuse it. Who is let in has to call leave.
func (l *limiter) enter(limit RateLimit, now time.Time) (refused http.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.passed) > 0 && !l.passed[0].After(now.Add(-time.Minute)) {
		l.passed = l.passed[1:]
	}
	switch {
	case limit.PerMinute > 0 && len(l.passed) >= limit.PerMinute:
		wait := l.passed[0].Add(time.Minute).Sub(now)
		return refusal(limit.PerMinute, wait, limit.RetryAfter)
	case limit.Concurrent > 0 && l.running >= limit.Concurrent:
		return refusal(limit.Concurrent, time.Second, limit.RetryAfter)
	}
	if limit.PerMinute > 0 {
		l.passed = append(l.passed, now)
	}
	l.running++
	return nil
}

func (l *limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
}
