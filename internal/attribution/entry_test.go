package attribution_test

import (
	"slices"
	"testing"
	"time"

	"roompulse/internal/attribution"
)

// TestJudgeByEntry: where rooms share a title, it counts where the file was.
func TestJudgeByEntry(t *testing.T) {
	t.Parallel()
	rooms := attribution.NewRooms([]attribution.Room{
		{ID: "1", Title: "Tender", Created: at(-600)},
		{ID: "2", Title: "Tender", Created: at(-600)},
		{ID: "3", Title: "Alpha", Created: at(-600)},
	})
	seen := func(pairs ...any) (s []attribution.Sighting) {
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, attribution.Sighting{At: at(pairs[i].(int)), RoomID: pairs[i+1].(string)})
		}
		return s
	}
	const sure, likely, open = attribution.SourceEntry, attribution.SourceEntryNearby, attribution.SourceUnresolved
	for _, test := range []struct {
		name   string
		seen   []attribution.Sighting
		source attribution.Source
		room   string
	}{
		{"never seen", nil, open, "Tender"},
		{"before and after", seen(-10, "1", 10, "1"), sure, "1"},
		{"only after", seen(10, "2"), likely, "2"},
		{"only before", seen(-10, "1"), likely, "1"},
		{"a folder has left the room since", seen(-20, "1", -10, ""), open, "Tender"},
		{"a folder left the room later", seen(-20, "1", 10, ""), likely, "1"},
		{"copied out of a room, and a folder left it later", seen(-10, "1", -10, "", 10, ""), open, "Tender"},
		{"away between two moves", seen(-10, "1", -10, "", 10, "1", 10, ""), open, "Tender"},
		{"in between it moved", seen(-10, "1", 10, "2"), open, "Tender"},
		{"it was moved later", seen(-10, "1", 10, "1", 10, ""), sure, "1"},
		{"it was moved earlier", seen(-10, "1", -10, "2", 10, "2"), sure, "2"},
		{"it came from nobody knows where", seen(10, "2", 10, ""), open, "Tender"},
		{"it came from nobody knows where, and was there later", seen(-10, "1", -10, "", 10, "2"), likely, "2"},
		{"it left for nobody knows where", seen(-10, "1", 10, "2", 10, ""), likely, "1"},
		{"it was in the room, then in none", seen(-10, "1", 10, ""), likely, "1"},
		{"at the very moment", seen(0, "1"), sure, "1"},
		{"at the moment of its move", seen(0, "1", 0, "2"), open, "Tender"},
		{"in no room then", seen(-10, "", 10, ""), open, "Tender"},
		{"in a room of another title", seen(-10, "3", 10, "3"), open, "Tender"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := attribution.Answer{Source: test.source, RoomID: test.room}
			if got := attribution.Judge(event(fileUploaded, "Rooms: Tender", "7"), "", test.seen, rooms); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	want := attribution.Answer{Source: attribution.SourceTitle, RoomID: "3"}
	if got := attribution.Judge(event(fileUploaded, "Rooms: Alpha", "7"), "", seen(-10, "1", 10, "1"), rooms); got != want {
		t.Errorf("a room that alone bore the title: got %+v, want %+v", got, want)
	}
	if got := attribution.Judge(event(fileUploaded, "Documents", "7"), "", seen(-10, "1", 10, "1"), rooms); got != (attribution.Answer{}) {
		t.Errorf("outside of rooms: got %+v", got)
	}
}

// TestRoomAtAnswers: a file was moved when the portal was asked where it is: nobody knows which came first.
func TestRoomAtAnswers(t *testing.T) {
	t.Parallel()
	moved := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		asked time.Duration // after the event
		want  string        // where the file was after both
	}{
		{-11 * time.Second, ""},
		{-9 * time.Second, ""},
		{9 * time.Second, ""},
		{11 * time.Second, "1"},
	} {
		sightings := []attribution.Sighting{{At: moved.Add(test.asked), RoomID: "1", Asked: true}, {At: moved}}
		attribution.SortSightings(sightings)
		if got := attribution.RoomAt(sightings, moved.Add(time.Hour)); got != test.want {
			t.Errorf("asked %s after the move: got %q, want %q", test.asked, got, test.want)
		}
	}
}

func TestPlaceMoves(t *testing.T) {
	t.Parallel()
	move := func(id int64, source attribution.Source, room string) attribution.Move {
		return attribution.Move{EventID: id, Answer: attribution.Answer{Source: source, RoomID: room}}
	}
	const unplaced, nearby, history, none = attribution.SourceUnplacedMove, attribution.SourceEntryNearby, attribution.SourceHistory, attribution.SourceNone
	for _, test := range []struct {
		name        string
		act         []attribution.Move
		destination string
		settled     bool
		want        []attribution.Move
	}{
		{"a log has one", []attribution.Move{move(1, unplaced, ""), move(2, history, "7")}, "7", false, []attribution.Move{move(1, none, "")}},
		{"the log of where it came from", []attribution.Move{move(1, history, "7"), move(2, unplaced, "")}, "", false, []attribution.Move{move(2, none, "")}},
		{"the log has not been read", []attribution.Move{move(1, unplaced, ""), move(2, unplaced, "")}, "7", false, nil},
		{
			"no log tells: the lower number",
			[]attribution.Move{move(2, unplaced, ""), move(1, unplaced, "")},
			"7", true,
			[]attribution.Move{move(1, nearby, "7"), move(2, none, "")},
		},
		{"to no room", []attribution.Move{move(1, unplaced, ""), move(2, unplaced, "")}, "", true, nil},
		{"alone", []attribution.Move{move(1, unplaced, "")}, "7", true, nil},
		{"one was placed by its number, and a log has the other", []attribution.Move{move(1, nearby, "7"), move(2, history, "7")}, "7", true, []attribution.Move{move(1, none, "")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := attribution.PlaceMoves(test.act, test.destination, test.settled); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
