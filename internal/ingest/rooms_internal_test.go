package ingest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// timedPortal knows one folder, and takes its time to answer.
type timedPortal struct {
	Source
	now time.Time
	// what an answer about a file and one about a folder takes
	file, folder time.Duration
	asked        []string
}

func (p *timedPortal) FileFolder(_ context.Context, id string) (string, error) {
	p.asked = append(p.asked, id)
	p.now = p.now.Add(p.file)
	return "folder", nil
}

func (p *timedPortal) FolderPlace(_ context.Context, id string) (audit.Place, error) {
	p.asked = append(p.asked, id)
	p.now = p.now.Add(p.folder)
	return audit.Place{RoomID: "room"}, nil
}

// TestFolderPlaces: where a file lies is told by two answers, which count together only if they are of one moment.
func TestFolderPlaces(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		takes time.Duration // an answer about a folder
		pause time.Duration // from the first file to the second
		asked []string
	}{
		{"at once", 0, 0, []string{"a", "folder", "b"}},
		{"soon after", placeFresh / 2, 0, []string{"a", "folder", "b"}},
		{"later", 0, placeFresh + 1, []string{"a", "folder", "b", "folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			portal := &timedPortal{now: noon, folder: test.takes}
			places := folderPlaces{source: portal, now: func() time.Time { return portal.now }, places: map[string]folderPlace{}}
			for _, id := range []string{"a", "b"} {
				place, at, err := places.placeOf(t.Context(), attribution.Entry{ID: id})
				if err != nil || place.RoomID != "room" || at.Before(noon) || at.After(portal.now) {
					t.Errorf("%s: got %v at %s, %v", id, place, at, err)
				}
				portal.now = portal.now.Add(test.pause)
			}
			if !slices.Equal(portal.asked, test.asked) {
				t.Errorf("asked for %v, want %v", portal.asked, test.asked)
			}
		})
	}
}

// TestFolderPlacesOfASlowPortal: nobody can tell where something lies if it may have gone elsewhere while the
// answer was on its way.
func TestFolderPlacesOfASlowPortal(t *testing.T) {
	t.Parallel()
	for _, entry := range []attribution.Entry{{ID: "a"}, {ID: "folder", Folder: true}} {
		portal := &timedPortal{file: placeFresh / 2, folder: placeFresh/2 + 2}
		if entry.Folder {
			portal.folder = placeFresh + 1
		}
		places := folderPlaces{source: portal, now: func() time.Time { return portal.now }, places: map[string]folderPlace{}}
		if _, _, err := places.placeOf(t.Context(), entry); !errors.Is(err, audit.ErrUnavailable) {
			t.Errorf("%v: got %v, want no answer", entry, err)
		}
	}
}
