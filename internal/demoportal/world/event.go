package world

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Context says what a row's context text is made of.
type Context uint8

// The kinds of context.
const (
	InRoom    Context = iota + 1 // "Rooms: " or "AI agents: " and the room's title
	InSection                    // the title of the section root alone
	InModule                     // the module's word alone
)

type pageKind uint8

const (
	noPage pageKind = iota
	folderPage
	editorPage // the callback of the document server: its query is signed
	sharePage  // a short link, whose path is the secret
	accountsPage
	settingsPage
)

// Client is where a person sits. An act of the portal itself has the zero Client.
type Client struct {
	IP, Country, City, Browser, Platform string
}

var (
	cities = [][2]string{
		{"France", "Lyon"},
		{"Germany", "Bremen"},
		{"Latvia", "Riga"},
		{"Portugal", "Porto"},
		{"", ""},
		{"Spain", "Bilbao"},
		{"Japan", "Sendai"},
		{"Canada", "Halifax"},
		{"Poland", "Gdynia"},
	}
	browsers  = []string{"Firefox 141", "Chrome 139", "Chrome 140", "Safari 18", "Edge 139"}
	platforms = []string{"Windows 10", "Mac OS X 14", "Linux", "Windows 11", "iOS 18"}
)

// addClients gives a person a desk and a second place, and now and then an
// address of the newer kind or the portal's own.
func (w *World) addClients(i int) []uint32 {
	ip := fmt.Sprintf("198.51.%d.%d", 100+i/250%100, 1+i%250)
	switch {
	case i%97 == 96:
		ip = "::1"
	case i%7 == 5:
		ip = fmt.Sprintf("2001:db8:%x::%x", i, i+1)
	}
	city, away := cities[i%len(cities)], cities[(i+3)%len(cities)]
	first := uint32(len(w.clients)) //nolint:gosec // few accounts
	w.clients = append(w.clients,
		Client{IP: ip, Country: city[0], City: city[1], Browser: browsers[i%len(browsers)], Platform: platforms[i%len(platforms)]},
		Client{
			IP: fmt.Sprintf("203.0.113.%d", 1+i%250), Country: away[0], City: away[1],
			Browser: browsers[(i+2)%len(browsers)], Platform: platforms[(i+4)%len(platforms)],
		})
	return []uint32{first, first + 1}
}

// Detail is what only the log of a room tells about a row.
type Detail struct {
	Account, OldAccount *Account // whom a change of members or of the owner concerns
	Group               *Group
	Access, OldAccess   Access
	Text, OldText       string // a new and an old title, a link's title, the name typed into a form
	Tags                []string
	From                *Folder // of a move or copy within a room
	To                  *Folder // of a move or copy
}

// Event is an inserted audit row.
type Event struct {
	ID       int32
	Date     time.Time // UTC, rounded to the portal's precision
	Inserted time.Time
	Actor    *Account
	Kind     *ActionKind
	Client   Client // zero for acts of the portal itself
	Page     string // with its secrets; empty if none
	Target   []string
	Context  Context
	Title    string // of the file or folder at that time, empty for others
	Folder   *Folder
	// FolderTitle and RoomTitle are those of that time.
	FolderTitle string
	Room        *Room // the room that the event belongs to, nil if none
	RoomTitle   string
	Detail      Detail
}

func (w *World) event(r *row) Event {
	p := &w.places[r.place]
	e := Event{
		ID: r.id, Date: fromMicros(r.recorded), Inserted: fromMicros(r.inserted), Actor: w.accounts[r.actor],
		Kind: Action(r.action).Kind(), Client: w.clients[r.client], Page: w.page(r), Context: r.context, Title: w.texts[r.title],
		Folder: p.folder, FolderTitle: w.texts[p.title], Room: p.room, RoomTitle: w.texts[p.name], Detail: w.details[r.detail],
	}
	switch {
	case r.target[0] == 0:
	case r.target[1] != 0:
		e.Target = []string{w.refID(r.target[0]), w.refID(r.target[1])}
	case r.target[0] < 0:
		e.Target = strings.Split(w.refID(r.target[0]), ",") // as the server does with the stored text
	default:
		e.Target = []string{w.refID(r.target[0])}
	}
	return e
}

// page makes up the page from which the act came. Signed values and tokens
// depend on the row alone, so that they need no memory.
func (w *World) page(r *row) string {
	base := "https://" + w.host
	switch r.page {
	case noPage:
	case folderPage:
		p := w.places[r.place]
		if p.folder == nil {
			return base + "/rooms/personal/filter"
		}
		if p.room == nil {
			return base + "/rooms/personal/filter?folder=" + p.folder.ID
		}
		return base + "/rooms/shared/" + p.room.ID + "/filter?folder=" + p.folder.ID
	case editorPage:
		return base + "/filehandler.ashx?action=track&fileid=" + w.refID(r.target[0]) + "&stream_auth=" + secret(r)
	case sharePage:
		return base + "/s/" + secret(r)
	case accountsPage:
		return base + "/accounts/people/filter"
	case settingsPage:
		return base + "/portal-settings/customization/general"
	}
	return ""
}

// secret stands for a signed value of the row's page.
func secret(r *row) string {
	mixed := (uint64(r.id)<<32 | uint64(uint32(r.recorded))) * 0x9e3779b97f4a7c15 //nolint:gosec // any bits do
	return "Sec" + strconv.FormatUint(mixed, 36)
}
