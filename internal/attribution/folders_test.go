package attribution_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/attribution"
)

// node is a file or folder of a history, or a section.
type node struct {
	id     string
	folder bool
	in     *node // nil: a room or a section
}

// section is the room or other section that a node is in.
func (n *node) section() *node {
	for n.in != nil {
		n = n.in
	}
	return n
}

func (n *node) isBelow(other *node) bool {
	for ; n != nil; n = n.in {
		if n == other {
			return true
		}
	}
	return false
}

// tree plays what people do to files and folders of two rooms of one title and of a section that is
// none, and notes what the audit trail, the logs of the rooms and the portal's answers tell of it.
type tree struct {
	rooms, all []*node
	docs       *node
	now        time.Time
	logFrom    map[*node]time.Time // since when the log of a room is read
	seen       map[*node][]attribution.Seen
	departures []attribution.Departure
	views      []view
}

type view struct {
	file *node
	at   time.Time
	room *node
}

func (h *tree) isRoom(n *node) bool { return slices.Contains(h.rooms, n) }

// dated is the moment of an event: events have whole seconds.
func (h *tree) dated() time.Time { return h.now.Truncate(time.Second) }

func (h *tree) note(n *node, s attribution.Seen) {
	h.seen[n] = append(h.seen[n], s)
}

// log notes what the log of a room has of an act on something.
func (h *tree) log(room, n *node) {
	if from, ok := h.logFrom[room]; ok && !h.dated().Before(from) {
		h.note(n, attribution.Seen{At: h.dated(), RoomID: room.id, Parent: n.in.id})
	}
}

func (h *tree) create(in *node, folder bool) {
	n := &node{id: strconv.Itoa(len(h.all) + 100), folder: folder, in: in}
	h.all = append(h.all, n)
	h.log(n.section(), n)
}

func (h *tree) move(n, to *node) {
	from := n.section()
	n.in = to
	crossing := from != to.section()
	if !h.isRoom(from) && !h.isRoom(to.section()) {
		return
	}
	h.note(n, attribution.Seen{At: h.dated(), Parent: to.id, Within: !crossing})
	h.log(from, n)
	if !crossing {
		return
	}
	h.log(to.section(), n)
	switch {
	case !n.folder:
	case h.isRoom(from) && h.isRoom(to.section()):
		for _, room := range h.rooms {
			h.departures = append(h.departures, attribution.Departure{Folder: n.id, At: h.dated(), RoomID: room.id})
		}
	default:
		h.departures = append(h.departures, attribution.Departure{Folder: n.id, At: h.dated()})
	}
}

// ask notes the portal's answer about something and the folders above it.
func (h *tree) ask(n *node) {
	s := attribution.Seen{At: h.now, Asked: true}
	if !h.isRoom(n.section()) {
		h.note(n, s)
		return
	}
	for s.RoomID = n.section().id; n.in != nil; n = n.in {
		s.Parent = n.in.id
		h.note(n, s)
	}
}

func drawTree(t *rapid.T) *tree {
	h := &tree{
		now: noon, docs: &node{id: "9", folder: true}, logFrom: map[*node]time.Time{},
		seen: map[*node][]attribution.Seen{},
	}
	for i := range 2 {
		room := &node{id: strconv.Itoa(i + 1), folder: true}
		h.rooms = append(h.rooms, room)
		if rapid.Bool().Draw(t, "log") {
			h.logFrom[room] = noon.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "log from")) * time.Minute)
		}
	}
	pick := func(label string, nodes []*node) *node { return nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, label)] }
	folders := func() []*node {
		list := append(slices.Clone(h.rooms), h.docs)
		for _, n := range h.all {
			if n.folder {
				list = append(list, n)
			}
		}
		return list
	}
	for range 3 {
		h.create(pick("folder of", folders()), true)
	}
	for range 2 {
		h.create(pick("folder of", folders()), false)
	}
	for range rapid.IntRange(5, 30).Draw(t, "acts") {
		h.now = h.now.Add(rapid.SampledFrom([]time.Duration{
			0, 400 * time.Millisecond, time.Second, time.Minute, time.Minute, 3 * time.Minute,
		}).Draw(t, "pause"))
		n := pick("of", h.all)
		switch rapid.IntRange(0, 9).Draw(t, "act") {
		case 0:
			h.create(pick("into", folders()), rapid.Bool().Draw(t, "folder"))
		case 1, 2, 3:
			if to := pick("to", folders()); !to.isBelow(n) && to != n.in {
				h.move(n, to)
			}
		case 4:
			h.ask(n)
		case 5:
			h.log(n.section(), n) // saved or renamed
		default:
			if !n.folder && h.isRoom(n.section()) {
				h.views = append(h.views, view{n, h.dated(), n.section()})
			}
		}
	}
	return h
}

// TestFoldersNeverWrong: whatever of a history is known, nothing is placed in a room that it was not in.
func TestFoldersNeverWrong(t *testing.T) {
	t.Parallel()
	found, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		h := drawTree(t)
		rooms := map[string]bool{}
		for _, room := range h.rooms {
			rooms[room.id] = true
		}
		seen := map[string][]attribution.Seen{}
		for n, moments := range h.seen {
			if n.folder {
				seen[n.id] = moments
			}
		}
		folders := attribution.NewFolders(rooms, seen, h.departures)
		for _, v := range h.views {
			moments := slices.Clone(h.seen[v.file])
			slices.SortStableFunc(moments, func(a, b attribution.Seen) int { return a.At.Compare(b.At) })
			sightings := folders.Sightings(attribution.Entry{ID: v.file.id}, moments)
			all++
			switch got := attribution.RoomAt(sightings, v.at); got {
			case v.room.id:
				found++
			case "":
			default:
				t.Fatalf("file %s was in room %s at %s, got %s by %+v of %+v; departures %+v; folders in %v", v.file.id, v.room.id, v.at.Sub(noon), got, sightings, h.seen[v.file], h.departures, seen)
			}
		}
	})
	if found*20 < all { // most acts here hide what a room is
		t.Errorf("only %d of %d events have a room", found, all)
	}
}

// TestFoldersDoubtAnswersNearAMove: the portal was asked where a folder lay, and it was moved in the same second. It is where
// it was moved to, whichever came first by their dates.
func TestFoldersDoubtAnswersNearAMove(t *testing.T) {
	t.Parallel()
	asked, left := noon.Add(200*time.Millisecond), noon.Add(time.Hour)
	folders := attribution.NewFolders(
		map[string]bool{"1": true, "2": true},
		map[string][]attribution.Seen{"20": {
			{At: noon, Parent: "30", Within: true}, // in truth at 400 ms
			{At: asked, RoomID: "1", Parent: "1", Asked: true},
		}},
		[]attribution.Departure{{Folder: "30", At: left, RoomID: "1"}, {Folder: "30", At: left, RoomID: "2"}},
	)
	file := []attribution.Seen{{At: asked, RoomID: "1", Parent: "20", Asked: true}}
	sightings := folders.Sightings(attribution.Entry{ID: "7"}, file)
	if got := attribution.RoomAt(sightings, left.Add(time.Hour)); got != "" {
		t.Errorf("a file of the folder is in %s after folder 30 has left, by %v", got, sightings)
	}
}
