package docspace

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roompulse/internal/audit"
)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("item %04d", i)
	}
	return list
}

func part(list []string, start, count int) []string {
	start = min(start, len(list))
	return list[start:min(start+count, len(list))]
}

func TestReadList(t *testing.T) {
	t.Parallel()
	type ask = func(startIndex, count int) (listPage[string], error)
	plain := func(list []string) ask {
		return func(start, count int) (listPage[string], error) {
			items := part(list, start, count)
			return listPage[string]{items, len(items), len(list)}, nil
		}
	}
	for name, test := range map[string]struct {
		ask      func() ask
		want     int // items, -1: an error
		requests int // at most
		warns    bool
	}{
		"empty":      {func() ask { return plain(nil) }, 0, 1, false},
		"one page":   {func() ask { return plain(names(42)) }, 42, 1, false},
		"full pages": {func() ask { return plain(names(200)) }, 200, 2, false},
		"pages":      {func() ask { return plain(names(1001)) }, 1001, 11, false},
		"no total": {func() ask {
			return func(start, count int) (listPage[string], error) {
				items := part(names(200), start, count)
				return listPage[string]{items, len(items), -1}, nil
			}
		}, 200, 3, false},
		"no total and always the same page": {func() ask {
			return func(_, _ int) (listPage[string], error) {
				return listPage[string]{names(100), 100, -1}, nil
			}
		}, 100, 6, true},
		"smaller pages than asked": {func() ask {
			return func(start, _ int) (listPage[string], error) {
				items := part(names(130), start, 50)
				return listPage[string]{items, len(items), 130}, nil
			}
		}, 130, 3, false},
		"shuffled anew each time": {func() ask {
			rng := rand.New(rand.NewPCG(1, 2))
			return func(start, count int) (listPage[string], error) {
				list := names(130)
				rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				items := part(list, start, count)
				return listPage[string]{items, len(items), len(list)}, nil
			}
		}, 130, 12, false},
		"cut wrongly, the same way for a page size": {func() ask {
			return func(start, count int) (listPage[string], error) {
				list := names(150)
				rng := rand.New(rand.NewPCG(uint64(start), uint64(count)))
				rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				items := part(list, start, count)
				return listPage[string]{items, len(items), len(list)}, nil
			}
		}, 150, 12, false},
		"one comes while it is read": {func() ask {
			n := 0
			return func(start, count int) (listPage[string], error) {
				list := names(150)
				if n++; n > 1 {
					list = slices.Insert(list, 0, "new")
				}
				items := part(list, start, count)
				return listPage[string]{items, len(items), len(list)}, nil
			}
		}, 151, 4, false},
		"one goes while it is read": {func() ask {
			n := 0
			return func(start, count int) (listPage[string], error) {
				list := names(150)
				if n++; n > 1 {
					list = list[1:] // item 0 is gone, item 100 slips to the page that was read
				}
				items := part(list, start, count)
				return listPage[string]{items, len(items), len(list)}, nil
			}
		}, 149, 4, false},
		"one goes while it is read and shuffled": {func() ask {
			n := 0
			rng := rand.New(rand.NewPCG(1, 2))
			return func(start, count int) (listPage[string], error) {
				list := names(150)
				if n++; n > 2 {
					list = list[1:]
				}
				rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				items := part(list, start, count)
				return listPage[string]{items, len(items), len(list)}, nil
			}
		}, 149, 12, false},
		"the total counts what is not listed": {func() ask {
			return func(start, count int) (listPage[string], error) {
				items := part(names(149), start, count)
				return listPage[string]{items, len(items), 150}, nil
			}
		}, 149, 9, true},
		"some cannot be told apart": {func() ask {
			return func(start, count int) (listPage[string], error) {
				items := part(append(names(148), "", ""), start, count)
				return listPage[string]{items, len(items), 150}, nil
			}
		}, 150, 2, false},
		"it always changes": {func() ask {
			n := 0
			return func(_, _ int) (listPage[string], error) {
				n++
				return listPage[string]{[]string{strconv.Itoa(n)}, n + 3, n + 3}, nil
			}
		}, -1, 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c := newClient(t, Config{Logger: logTo(&log)})
			requests := 0
			ask := test.ask()
			got, err := readList(t.Context(), c, call{op: "list things", path: "/x"}, strings.Clone,
				func(start, count int) (listPage[string], error) {
					requests++
					return ask(start, count)
				})
			if test.want < 0 {
				if !errors.Is(err, audit.ErrUnavailable) {
					t.Error(err)
				}
				return
			}
			if err != nil || len(got) != test.want {
				t.Errorf("%d items, want %d; %v", len(got), test.want, err)
			}
			if strings.HasPrefix(name, "one goes") && slices.Contains(got, "item 0000") {
				t.Error("what is gone is listed")
			}
			if requests > test.requests {
				t.Errorf("%d requests, want %d", requests, test.requests)
			}
			if warns := strings.Contains(log.String(), "level=WARN"); warns != test.warns {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}
