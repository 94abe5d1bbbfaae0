package demoportal

import (
	"maps"
	"sync"
)

// Request is a request that the portal received.
type Request struct {
	N        int    // counts all requests from 1
	Endpoint string // the route, such as "files/rooms/{id}/share"
	URL      string // path and query
	Status   int    // of the answer; 0 in Faults.Before and Faults.Script
}

// maxLogged is how many requests the log keeps; counters go on.
const maxLogged = 10_000

type requestLog struct {
	mu          sync.Mutex
	n           int
	running     int
	concurrency int
	counts      map[string]int
	recent      []Request
}

func (l *requestLog) begin(endpoint, url string) Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	l.n++
	l.counts[endpoint]++
	l.running++
	l.concurrency = max(l.concurrency, l.running)
	return Request{N: l.n, Endpoint: endpoint, URL: url}
}

func (l *requestLog) end(r Request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	r.Status = status
	if len(l.recent) >= maxLogged {
		l.recent = append(l.recent[:0], l.recent[maxLogged/2:]...)
	}
	l.recent = append(l.recent, r)
}

// Requests returns the newest requests answered, oldest first, several
// thousand at most.
func (p *Portal) Requests() []Request {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return append([]Request(nil), p.log.recent...)
}

// RequestCounts returns how many requests each route received, and in all.
func (p *Portal) RequestCounts() (perEndpoint map[string]int, all int) {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return maps.Clone(p.log.counts), p.log.n
}

// MaxConcurrency returns the largest number of requests that were under way at one time.
func (p *Portal) MaxConcurrency() int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.concurrency
}

// ResetRequests forgets all requests received so far.
func (p *Portal) ResetRequests() {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.log.n, p.log.concurrency, p.log.counts, p.log.recent = 0, p.log.running, nil, nil
}
