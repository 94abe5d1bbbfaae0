package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestParallel: whoever fails or stops when, parallel ends, one writer writes at a time, what several put is in one
// write once, and who is told that something is written can rely on it.
func TestParallel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			n, m := 1+rng.IntN(6), rng.IntN(30)
			items := make([]int, m)
			delay := make([]time.Duration, m)
			for i := range items {
				items[i], delay[i] = i, time.Duration(rng.IntN(50))*time.Millisecond
			}
			failAsk, failWrite, cancelAt := rng.IntN(60), rng.IntN(60), time.Duration(rng.IntN(600))*time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if rng.IntN(2) == 0 {
				time.AfterFunc(cancelAt, cancel)
			}
			boom := errors.New("boom")
			written, told := map[int]bool{}, make([]bool, m)
			active := false
			err := parallel(ctx, n, items, func(ctx context.Context, i int, put func(int) error) error {
				select {
				case <-time.After(delay[i]):
				case <-ctx.Done():
					return ctx.Err()
				}
				if i == failAsk {
					return boom
				}
				for range 2 {
					if err := put(i); err != nil {
						return err
					}
				}
				told[i] = true
				return nil
			}, func(ctx context.Context, results []int) error {
				if active {
					t.Errorf("seed %d: two writers", seed)
				}
				active = true
				defer func() { active = false }()
				if len(results) > n {
					t.Errorf("seed %d: %d put, but %d ask", seed, len(results), n)
				}
				met := map[int]bool{}
				for _, i := range results {
					if met[i] {
						t.Errorf("seed %d: %d is in one write twice", seed, i)
					}
					met[i] = true
				}
				time.Sleep(20 * time.Millisecond)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				for _, i := range results {
					if i == failWrite {
						return boom
					}
					written[i] = true
				}
				return nil
			})
			for i := range items {
				if told[i] && !written[i] {
					t.Errorf("seed %d: %d told, not written", seed, i)
				}
				if err == nil && !written[i] {
					t.Errorf("seed %d: no error, %d not written", seed, i)
				}
			}
		})
	}
}
