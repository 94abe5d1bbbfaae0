package pgtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }
func TestMeasure(t *testing.T) {
	New(t)
	s := current(t)
	ctx := context.Background()
	tm, _ := s.template(ctx)
	for range 4 {
		for _, strategy = range []string{"wal_log", "file_copy"} {
			for _, par := range []int{1, 4} {
				n := 24
				var names []string
				var mu sync.Mutex
				var g sync.WaitGroup
				b := time.Now()
				for i := range par {
					g.Go(func() {
						for range n / par {
							x, err := s.create(ctx, tm)
							if err != nil {
								t.Error(err)
							}
							mu.Lock()
							names = append(names, x)
							mu.Unlock()
						}
						_ = i
					})
				}
				g.Wait()
				c := time.Since(b)
				b = time.Now()
				for i := range par {
					g.Go(func() {
						for j := range n / par {
							if err := s.drop(ctx, names[i*(n/par)+j]); err != nil {
								t.Error(err)
							}
						}
					})
				}
				g.Wait()
				t.Logf("%s par=%d create %v drop %v each", strategy, par, c/time.Duration(n), time.Since(b)/time.Duration(n))
			}
		}
	}
}
