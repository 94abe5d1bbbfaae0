package audit_test

import (
	"database/sql"
	"slices"
	"testing"

	"roompulse/internal/audit"
)

const ann = "0b1f6c9e-7a51-4a0f-9d3e-52b1c6a0f001"

func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

func number(n int16) sql.NullInt16 { return sql.NullInt16{Int16: n, Valid: true} }

// inBrowser is an event as a person's browser causes it.
func inBrowser(actionID int32) audit.Event {
	return audit.Event{
		ActorID: ann,
		Kind:    audit.Kind{ActionID: actionID},
		Client:  audit.NewClient(audit.Origin{IP: text("203.0.113.7"), Browser: text("Firefox 145")}),
		Page:    text("https://acme.example/rooms/shared/812"),
	}
}

// byItself is an event as the portal's own clean-up causes it, in Ann's name.
func byItself(actionID int32) audit.Event {
	return audit.Event{ActorID: ann, Kind: audit.Kind{ActionID: actionID}}
}

func actionID(t *testing.T, name string) int32 {
	t.Helper()
	for _, a := range audit.Actions() {
		if a.Name == name {
			return a.ID
		}
	}
	t.Fatalf("there is no action %s", name)
	return 0
}

func TestClassifyKnownActions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]audit.Class{
		"FileCreated":             audit.ClassEdit,
		"FileUploaded":            audit.ClassEdit,
		"FileUpdated":             audit.ClassEdit,
		"FileOpenedForChange":     audit.ClassEdit,
		"FileMoved":               audit.ClassEdit,
		"FormCompletelyFilled":    audit.ClassEdit,
		"FileDownloaded":          audit.ClassView,
		"FileReaded":              audit.ClassView,
		"FolderDownloaded":        audit.ClassView,
		"RoomIndexExportSaved":    audit.ClassView,
		"FileUpdatedAccess":       audit.ClassManage,
		"RoomCreated":             audit.ClassManage,
		"RoomRenamed":             audit.ClassManage,
		"RoomUpdateAccessForUser": audit.ClassManage,
		"FileRemovedFromList":     audit.ClassNone,
		"TrashEmptied":            audit.ClassNone,
		"LoginSuccess":            audit.ClassNone,
		"UserCreated":             audit.ClassNone,
		"StartTransferSetting":    audit.ClassNone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := audit.Classify(inBrowser(actionID(t, name)), false); got != want {
				t.Errorf("counts as %v, want %v", got, want)
			}
		})
	}
}

func TestClassifyNobody(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", audit.AccountSystem, audit.AccountAnonymous, audit.AccountNobody, audit.AccountLost, audit.AccountOutside,
	} {
		e := inBrowser(actionID(t, "FileCreated"))
		e.ActorID = id
		if got := audit.Classify(e, true); got != audit.ClassNobody {
			t.Errorf("an act of %q counts as %v", id, got)
		}
		e.Payload.EntityType = "file"
		if got := audit.Classify(e, true); got != audit.ClassNobody {
			t.Errorf("an act of %q in the sample's shape counts as %v", id, got)
		}
	}
}

func TestClassifyBackground(t *testing.T) {
	t.Parallel()
	trashed := actionID(t, "FileMovedToTrash")
	if got := audit.Classify(byItself(trashed), false); got != audit.ClassNobody {
		t.Errorf("the portal's own clean-up counts as %v for the owner", got)
	}
	for name, sign := range map[string]func(*audit.Event){
		"address":       func(e *audit.Event) { e.Client = audit.NewClient(audit.Origin{IP: text("203.0.113.7")}) },
		"empty address": func(e *audit.Event) { e.Client = audit.NewClient(audit.Origin{IP: text("")}) }, // how ::1 is listed
		"browser":       func(e *audit.Event) { e.Client = audit.NewClient(audit.Origin{Browser: text("")}) },
		"page":          func(e *audit.Event) { e.Page = text("") },
	} {
		e := byItself(trashed)
		sign(&e)
		if got := audit.Classify(e, false); got != audit.ClassEdit {
			t.Errorf("with an %s it counts as %v, want edit", name, got)
		}
	}
	if got := audit.Classify(byItself(actionID(t, "FileCreated")), false); got != audit.ClassEdit {
		t.Errorf("an action that the portal never does by itself counts as %v, want edit", got)
	}
}

func TestClassifyMembership(t *testing.T) {
	t.Parallel()
	for _, id := range []int32{audit.ActionRoomCreateUser, audit.ActionRoomRemoveUser} {
		if got := audit.Classify(inBrowser(id), false); got != audit.ClassNone {
			t.Errorf("%d: somebody was added or removed, by nobody knows whom: counts as %v", id, got)
		}
		if got := audit.Classify(inBrowser(id), true); got != audit.ClassManage {
			t.Errorf("%d: a person's own joining or leaving counts as %v, want manage", id, got)
		}
	}
	if got := audit.Classify(inBrowser(audit.ActionRoomRenamed), true); got != audit.ClassManage {
		t.Errorf("log evidence made a renaming count as %v", got)
	}
}

func TestClassifyUnknownActions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		kind audit.Kind
		want audit.Class
	}{
		{"download", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(audit.TypeDownload)}, audit.ClassView},
		{"access", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(audit.TypeUpdateAccess)}, audit.ClassManage},
		{"link", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(audit.TypeLink)}, audit.ClassManage},
		{"unlink", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(audit.TypeUnlink)}, audit.ClassManage},
		{"move", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(audit.TypeMove)}, audit.ClassEdit},
		{"a type of its own", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments), Type: number(99)}, audit.ClassEdit},
		{"no type", audit.Kind{ActionID: 6100, Product: number(audit.ProductDocuments)}, audit.ClassEdit},
		{"another product", audit.Kind{ActionID: 6100, Product: number(8), Type: number(audit.TypeDownload)}, audit.ClassNone},
		{"no product", audit.Kind{ActionID: 6100, Type: number(audit.TypeDownload)}, audit.ClassNone},
		{"no action", audit.Kind{Product: number(audit.ProductDocuments)}, audit.ClassEdit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// Neither address nor browser nor page: only known actions can be the portal's own.
			if got := audit.Classify(audit.Event{ActorID: ann, Kind: tc.kind}, true); got != tc.want {
				t.Errorf("counts as %v, want %v", got, tc.want)
			}
		})
	}
}

func TestClassifySample(t *testing.T) {
	t.Parallel()
	for entity, want := range map[string]audit.Class{
		"file": audit.ClassEdit, "File": audit.ClassEdit, "document": audit.ClassEdit, "subFolder": audit.ClassEdit,
		"ROOM": audit.ClassEdit, "user": audit.ClassNone, "settings": audit.ClassNone,
	} {
		e := audit.Event{ActorID: "user-7", Payload: audit.Payload{EntityType: entity}}
		if got := audit.Classify(e, false); got != want {
			t.Errorf("entity %q counts as %v, want %v", entity, got, want)
		}
		e.Kind.ActionID = actionID(t, "FileDownloaded")
		if got := audit.Classify(e, false); got != want {
			t.Errorf("entity %q with a known action counts as %v, want %v", entity, got, want)
		}
	}
}

func TestFilterCounts(t *testing.T) {
	t.Parallel()
	classes := []audit.Class{audit.ClassNobody, audit.ClassNone, audit.ClassView, audit.ClassEdit, audit.ClassManage}
	for filter, want := range map[audit.Filter][]audit.Class{
		audit.FilterAny:    {audit.ClassView, audit.ClassEdit, audit.ClassManage},
		audit.FilterView:   {audit.ClassView},
		audit.FilterEdit:   {audit.ClassEdit},
		audit.FilterManage: {audit.ClassManage},
	} {
		for _, c := range classes {
			if got := filter.Counts(c); got != slices.Contains(want, c) {
				t.Errorf("%s counts %v: %v", filter, c, got)
			}
		}
		if !slices.Contains(audit.Filters(), filter) {
			t.Errorf("%s is not offered", filter)
		}
	}
}
