package docspace

import (
	"cmp"
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

const (
	// RequestsGranted is how many requests in a minute DocSpace takes from a person.
	RequestsGranted = 1500
	// DefaultMaxRequestsPerMinute stays below RequestsGranted, since the key's
	// owner also uses a browser.
	DefaultMaxRequestsPerMinute = 1350
	// DefaultMaxParallel stays below DocSpace's 50, for the same reason.
	DefaultMaxParallel = 20

	// A portal that refuses halves the rate, down to this part of the full one.
	// The rate comes back evenly, the whole of it in recovery, so from the half in half of it.
	minRateDivisor = 32
	recovery       = 5 * time.Minute

	// How long a cut takes to be felt: those already in the queue keep their turns.
	reaction = 3 * time.Second

	// The portal counts requests over a sliding minute: what idles away may be
	// caught up only so far. With the default this is 45 requests above the
	// 1350 of any minute, and the 20 that may be under way.
	burstSpan = 2 * time.Second
)

// limiter keeps requests below a rate and a number at the same time. The rate
// is cut to half when the portal refuses and grows back with time.
type limiter struct {
	slots  *semaphore.Weighted
	tokens *rate.Limiter

	mu          sync.Mutex
	full        rate.Limit
	cut         rate.Limit // the rate right after the last cut
	cutAt       time.Time  // zero when the full rate is back
	pausedUntil time.Time  // as the portal asked
}

// newLimiter limits to so many requests a minute and at the same time; 0 is no limit.
// A portal that refuses requests though there is no limit has one: then the default holds.
func newLimiter(perMinute, parallel int) *limiter {
	if parallel <= 0 {
		parallel = math.MaxInt
	}
	full, burst := rate.Inf, burstFor(perSecond(DefaultMaxRequestsPerMinute))
	if perMinute > 0 {
		full = perSecond(perMinute)
		burst = burstFor(full)
	}
	return &limiter{slots: semaphore.NewWeighted(int64(parallel)), tokens: rate.NewLimiter(full, burst), full: full}
}

func perSecond(perMinute int) rate.Limit { return rate.Limit(perMinute) / 60 }

func burstFor(limit rate.Limit) int { return max(1, int(float64(limit)*burstSpan.Seconds())) }

// acquire waits until a request may be sent. The caller must release.
func (l *limiter) acquire(ctx context.Context) error {
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	for {
		if err := l.tokens.Wait(ctx); err != nil {
			l.release()
			// A token that would come after the deadline is refused at once.
			return cmp.Or(ctx.Err(), context.DeadlineExceeded)
		}
		pause := l.prepare()
		if pause == 0 {
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			l.release()
			return err
		}
	}
}

func (l *limiter) release() { l.slots.Release(1) }

// prepare lets the rate recover and returns how long the portal still wants to be left alone.
func (l *limiter) prepare() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.cutAt.IsZero() {
		grown := l.cut + l.full*rate.Limit(now.Sub(l.cutAt).Seconds()/recovery.Seconds())
		if grown >= l.full {
			grown, l.cutAt = l.full, time.Time{}
		}
		l.tokens.SetLimitAt(now, grown)
	}
	return max(0, l.pausedUntil.Sub(now))
}

// throttled tells that the portal refused a request sent at that time, and how
// long it asks to wait, 0 if it does not say.
func (l *limiter) throttled(sent time.Time, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if until := now.Add(after); until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
	if sent.Before(l.cutAt.Add(reaction)) {
		return // this refusal says nothing of the new rate yet
	}
	if l.full == rate.Inf {
		l.full = perSecond(DefaultMaxRequestsPerMinute)
	}
	l.cut = max(min(l.tokens.Limit(), l.full)/2, l.full/minRateDivisor)
	l.cutAt = now
	l.tokens.SetLimitAt(now, l.cut)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
