package docspace

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"roompulse/internal/audit"
)

// listPage is a part of a list; rows is by how much the next part starts
// later, total the size of the whole list, or -1 if the portal does not say.
type listPage[T any] struct {
	items       []T
	rows, total int
}

// pageSizes are tried in turn: where rows tie, the portal may cut them in the
// same wrong way each time that it is asked for pages of the same size.
var pageSizes = []int{100, 97, 89, 83, 79, 73}

// stablePasses is how often a list must come out the same to be believed over
// the total that the portal states.
const stablePasses = 3

// readList reads a whole list that may change, or come in another order, while
// it is paged. It is complete when it has as many distinct items as its total
// states from the first page to the last: within one pass, or else over
// several, as long as nothing came or went between them.
//
// A list that comes out the same several times but not with its total is taken
// as it is, with a warning: the portal counts something that it does not list.
func readList[T any](
	ctx context.Context, c *Client, call call, key func(T) string, ask func(startIndex, count int) (listPage[T], error),
) ([]T, error) {
	var all, previous map[string]T
	previousTotal, same := -1, 0
	for _, size := range pageSizes {
		pass, total, steady, err := readPass(key, size, ask)
		if err != nil {
			return nil, err
		}
		if !steady {
			all, previous, same = nil, nil, 0
			continue
		}
		if len(pass) == total {
			return values(pass), nil
		}
		if all == nil || total != previousTotal || len(all) > total {
			all = make(map[string]T)
		}
		maps.Copy(all, pass)
		if len(all) == total {
			return values(all), nil
		}
		if total == previousTotal && sameKeys(pass, previous) {
			same++
		} else {
			same = 1
		}
		if same == stablePasses {
			c.log.WarnContext(ctx, "the portal states another total than it lists; taking what it lists",
				slog.String("op", call.op), slog.Int("listed", len(pass)), slog.Int("total", total))
			return values(pass), nil
		}
		previous, previousTotal = pass, total
	}
	e := c.unexpected(call, "the list changed each time that it was read")
	e.kind, e.Hint = audit.ErrUnavailable, hintLater
	return nil, e
}

// readPass reads a list once from its start to its end. It is steady if the
// portal stated the same total all the time.
func readPass[T any](
	key func(T) string, size int, ask func(startIndex, count int) (listPage[T], error),
) (items map[string]T, total int, steady bool, err error) {
	items = make(map[string]T)
	unnamed := 0
	steady = true
	for start := 0; ; {
		page, err := ask(start, size)
		if err != nil {
			return nil, 0, false, err
		}
		steady = steady && (start == 0 || page.total == total)
		total = page.total
		known := len(items)
		for _, item := range page.items {
			k := key(item)
			if k == "" { // items that cannot be told apart: the n-th of them is the n-th
				unnamed++
				k = " " + strconv.Itoa(unnamed)
			}
			items[k] = item
		}
		start += page.rows
		switch {
		case total < 0 && (page.rows < size || len(items) == known):
			return items, start, steady, nil
		case total >= 0 && (page.rows <= 0 || start >= total):
			return items, total, steady, nil
		}
	}
}

func values[T any](m map[string]T) []T {
	list := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

func sameKeys[T any](a, b map[string]T) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}
