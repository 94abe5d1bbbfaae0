package docspace

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/audit"
)

// busyPortal refuses like DocSpace: over a sliding minute, and by the number
// of requests at the same time.
type busyPortal struct {
	perMinute, parallel int
	latency             func() time.Duration
	retryAfter          int // seconds, 0: no header

	mu      sync.Mutex
	passed  []time.Time
	running int
	refused int
}

func (p *busyPortal) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.passed) > 0 && now.Sub(p.passed[0]) >= time.Minute {
		p.passed = p.passed[1:]
	}
	if len(p.passed) >= p.perMinute || p.running >= p.parallel {
		p.refused++
		return false
	}
	p.passed = append(p.passed, now)
	p.running++
	return true
}

func (p *busyPortal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !p.enter() {
		if p.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
		}
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	time.Sleep(p.latency())
	p.mu.Lock()
	p.running--
	p.mu.Unlock()
	_, _ = w.Write([]byte(`{"response":[],"count":0,"status":0,"statusCode":200}`))
}

// backfill asks for pages from many goroutines for so long, and returns how
// many were answered a minute.
func backfill(t *testing.T, c *Client, workers int, span time.Duration) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	pages := 0
	for range workers {
		wg.Go(func() {
			for {
				_, err := c.Events(ctx, time.Time{}, time.Time{}, 0, 100)
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				pages++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(pages) / span.Minutes()
}

func latency(from, to time.Duration) func() time.Duration {
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return from + time.Duration(rng.Int64N(int64(to-from)))
	}
}

func TestDefaultLimitsUseTheUsualPortal(t *testing.T) {
	t.Parallel()
	for name, portal := range map[string]*busyPortal{
		"quick":  {latency: latency(5*time.Millisecond, 50*time.Millisecond)},
		"usual":  {latency: latency(50*time.Millisecond, 400*time.Millisecond)},
		"uneven": {latency: func() time.Duration { return time.Duration(1+9*(time.Now().Unix()/20%2)) * 75 * time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			portal.perMinute, portal.parallel = 1500, 50
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, Config{
					MaxRequestsPerMinute: DefaultMaxRequestsPerMinute, MaxParallel: DefaultMaxParallel,
					Transport: inMemory(portal.ServeHTTP),
				})
				perMinute := backfill(t, c, 24, 4*time.Minute)
				if perMinute < 0.85*1500 {
					t.Errorf("%.0f pages a minute", perMinute)
				}
				if portal.refused > 0 || c.Traffic().Throttled > 0 {
					t.Errorf("%d refused", portal.refused)
				}
			})
		})
	}
}

// A portal that allows less, or whose allowance others use up, is neither
// pestered nor left unused.
func TestRateFollowsThePortal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		portal  *busyPortal
		clients Config
		atLeast float64 // pages a minute
		refused float64 // of all requests, at most
	}{
		"half the usual limit": {
			portal:  &busyPortal{perMinute: 750, parallel: 50},
			clients: Config{MaxRequestsPerMinute: 1350, MaxParallel: 20},
			atLeast: 560, refused: 0.02,
		},
		"half the usual limit, with Retry-After": {
			portal:  &busyPortal{perMinute: 750, parallel: 50, retryAfter: 5},
			clients: Config{MaxRequestsPerMinute: 1350, MaxParallel: 20},
			atLeast: 560, refused: 0.02,
		},
		"no limit of ours": {
			portal:  &busyPortal{perMinute: 1500, parallel: 50},
			clients: Config{},
			atLeast: 1000, refused: 0.02,
		},
		"little at the same time": {
			portal:  &busyPortal{perMinute: 1500, parallel: 4},
			clients: Config{MaxRequestsPerMinute: 1350, MaxParallel: 20},
			atLeast: 560, refused: 0.02,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.portal.latency = latency(100*time.Millisecond, 300*time.Millisecond)
				cfg := test.clients
				cfg.Transport = inMemory(test.portal.ServeHTTP)
				c := newClient(t, cfg)
				perMinute := backfill(t, c, 40, 10*time.Minute)
				traffic := c.Traffic()
				t.Logf("%s: %.0f pages a minute, %+v", name, perMinute, traffic)
				if perMinute < test.atLeast {
					t.Errorf("%.0f pages a minute, want at least %.0f", perMinute, test.atLeast)
				}
				if share := float64(traffic.Throttled) / float64(traffic.Requests); share > test.refused {
					t.Errorf("%.1f%% of the requests were refused, want at most %.1f%%", 100*share, 100*test.refused)
				}
			})
		})
	}
}

func TestRateIsCutOnceAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1200, 0) // 20 a second
		sent := time.Now()
		time.Sleep(time.Second)
		for range 15 { // all sent before the first refusal came
			l.throttled(sent, 0)
		}
		if got := l.tokens.Limit(); got != 10 {
			t.Fatalf("rate %v after a refusal, want the half", got)
		}
		time.Sleep(reaction)
		l.throttled(time.Now(), 0)
		if got := l.tokens.Limit(); got != 5 {
			t.Fatalf("rate %v after a refusal at the half rate, want a quarter", got)
		}
		time.Sleep(recovery / 4)
		l.prepare()
		if got := l.tokens.Limit(); got != 10 {
			t.Errorf("rate %v after a quarter of the recovery", got)
		}
		time.Sleep(recovery / 2)
		l.prepare()
		if got := l.tokens.Limit(); got != 20 {
			t.Errorf("rate %v after the recovery", got)
		}
		for range 100 {
			l.throttled(time.Now(), 0)
			time.Sleep(reaction)
		}
		if got := l.tokens.Limit(); got < 20/minRateDivisor {
			t.Errorf("rate %v, below the least", got)
		}
	})
}

// Who is told to wait tells everybody.
func TestRetryAfterStopsAllRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var refused atomic.Bool
		c := newClient(t, Config{MaxParallel: 10, Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(10 * time.Millisecond)
			if refused.CompareAndSwap(false, true) {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			if since := time.Since(start); since > time.Second && since < 30*time.Second {
				t.Errorf("a request after %v", since)
			}
			_, _ = w.Write([]byte(`{"response":[]}`))
		})})
		backfill(t, c, 10, time.Minute)
		if got := c.Traffic(); got.Throttled != 1 || got.Retries != 1 {
			t.Errorf("traffic %+v", got)
		}
	})
}

func TestTooLongARetryAfterIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{RetryBudget: time.Minute, Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})})
		start := time.Now()
		_, err := c.Rooms(t.Context())
		if !errors.Is(err, audit.ErrUnavailable) || time.Since(start) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestWaitingForTheLimiterIsCanceledAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{MaxRequestsPerMinute: 1, MaxParallel: 2, Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"response":[]}`))
		})})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 5 { // one is answered, one waits for its turn, three for a slot
			wg.Go(func() {
				_, err := c.Events(ctx, time.Time{}, time.Time{}, 0, 1)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		wg.Wait()
		if time.Since(start) > 0 {
			t.Errorf("canceled after %v", time.Since(start))
		}
		if got := c.Traffic().Requests; got != 1 {
			t.Errorf("%d requests", got)
		}
	})
}
