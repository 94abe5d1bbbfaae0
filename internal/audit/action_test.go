package audit_test

import (
	"slices"
	"strings"
	"testing"

	"roompulse/internal/audit"
)

func TestActionsAreAsTheFileSays(t *testing.T) {
	t.Parallel()
	actions := audit.Actions()
	if len(actions) != 333 {
		t.Errorf("%d actions, want the 333 of DocSpace 3.7.2", len(actions))
	}
	products := []string{"Documents", "Contacts", "Settings", "Login", "-"}
	targets := []audit.TargetKind{
		audit.TargetNone, audit.TargetRoom, audit.TargetFile, audit.TargetFolder, audit.TargetFileMove, audit.TargetFolderMove,
	}
	names := map[string]bool{}
	for i, a := range actions {
		if i > 0 && a.ID <= actions[i-1].ID {
			t.Errorf("%d stands after %d", a.ID, actions[i-1].ID)
		}
		if got, ok := audit.LookupAction(a.ID); !ok || got.Name != a.Name {
			t.Errorf("%d is found as %q, want %q", a.ID, got.Name, a.Name)
		}
		if a.Name == "" || strings.TrimSpace(a.Name) != a.Name || names[a.Name] {
			t.Errorf("%d has no name of its own: %q", a.ID, a.Name)
		}
		names[a.Name] = true
		if !slices.Contains(products, a.Product) {
			t.Errorf("%s is of product %q", a.Name, a.Product)
		}
		if !slices.Contains(targets, a.Target) {
			t.Errorf("%s has target %q", a.Name, a.Target)
		}
		if listed := a.Product != "-"; listed && a.Product != "Documents" && (a.Class.Counts() || a.Target != audit.TargetNone) {
			t.Errorf("%s of %s counts as %s and points to %q, but rooms are documents", a.Name, a.Product, a.Class, a.Target)
		}
		if a.Members && a.Target != audit.TargetRoom {
			t.Errorf("%s changes members, but its target is %s", a.Name, a.Target)
		}
	}
}

func TestActionsAreACopy(t *testing.T) {
	t.Parallel()
	audit.Actions()[0].Name = "changed"
	if got := audit.Actions()[0].Name; got == "changed" {
		t.Error("a caller can change the list")
	}
}

func TestLookupActionUnknown(t *testing.T) {
	t.Parallel()
	if a, ok := audit.LookupAction(6100); ok {
		t.Errorf("6100 is not in DocSpace 3.7.2, but found as %q", a.Name)
	}
}

// The constants stand for what their names say.
func TestActionConstants(t *testing.T) {
	t.Parallel()
	for id, name := range map[int32]string{
		audit.ActionRoomCreated:             "RoomCreated",
		audit.ActionRoomRenamed:             "RoomRenamed",
		audit.ActionRoomArchived:            "RoomArchived",
		audit.ActionRoomUnarchived:          "RoomUnarchived",
		audit.ActionRoomDeleted:             "RoomDeleted",
		audit.ActionRoomUpdateAccessForUser: "RoomUpdateAccessForUser",
		audit.ActionRoomRemoveUser:          "RoomRemoveUser",
		audit.ActionRoomCreateUser:          "RoomCreateUser",
		audit.ActionRoomGroupAdded:          "RoomGroupAdded",
		audit.ActionRoomUpdateGroupAccess:   "RoomUpdateAccessForGroup",
		audit.ActionRoomGroupRemove:         "RoomGroupRemove",
		audit.ActionAgentCreated:            "AgentCreated",
		audit.ActionAgentRenamed:            "AgentRenamed",
		audit.ActionAgentDeleted:            "AgentDeleted",
		audit.ActionRoomChangeOwner:         "RoomChangeOwner",
	} {
		if a, _ := audit.LookupAction(id); a.Name != name {
			t.Errorf("%d is %s, want %s", id, a.Name, name)
		}
	}
}

func TestMovesAndCopies(t *testing.T) {
	t.Parallel()
	var moves []string
	for _, a := range audit.Actions() {
		if a.Target.IsMove() {
			moves = append(moves, a.Name)
		}
	}
	slices.Sort(moves)
	want := []string{
		"FileCopied", "FileCopiedWithOverwriting", "FileMoved", "FileMovedWithOverwriting",
		"FolderCopied", "FolderCopiedWithOverwriting", "FolderMoved", "FolderMovedWithOverwriting",
	}
	if !slices.Equal(moves, want) {
		t.Errorf("moves and copies %v, want %v", moves, want)
	}
}
