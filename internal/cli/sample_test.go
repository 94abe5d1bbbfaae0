package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/testkit/pgtest"
)

// TestSampleNamesTheSamePeople: on a portal that lists its events in the shape
// that the vendor's sample script expects, roompulse finds the same members
// inactive as the script's own rules do. They may differ, and do here, only in that
//
//   - the script reads the first page of the answer; here it is given all pages,
//   - it counts those who have not accepted their invitation, or are disabled, as
//     inactive, and roompulse lists neither,
//   - it takes ids of rooms for numbers, so it knows no room in third-party storage.
func TestSampleNamesTheSamePeople(t *testing.T) {
	t.Parallel()
	w := worldgen.New(worldgen.Config{Seed: 11, Events: 2500, Days: 90})
	now := time.Date(2026, 11, 20, 17, 2, 0, 0, time.UTC)
	from, to := now.Add(-30*24*time.Hour), now.Add(-2*time.Minute) // what a sync reads ends two minutes ago
	portal := httptest.NewServer(demoportal.New(w, demoportal.Options{Now: func() time.Time { return now }, SampleShape: true}))
	defer portal.Close()

	setting := []string{
		"DATABASE_URL=" + pgtest.New(t), "DOCSPACE_API_HOST=" + portal.URL, "DOCSPACE_API_KEY=" + demoportal.DefaultKey,
		clockVariable + "=" + now.Format(time.RFC3339),
	}
	roompulse(t, setting, "sync")
	ours := roompulseInactive(t, setting, from, to)

	counts := sampleCounts(sampleEvents(t, portal.URL, from, to))
	theirs, apart := []string{}, 0
	truth := w.Truth(now)
	for _, room := range truth.Rooms() {
		if room.Deleted || room.ThirdParty() {
			continue
		}
		for _, m := range truth.Members(room, now) {
			switch {
			case counts[room.ID+" "+m.Account.ID] >= 1: // MIN_ACTIVITY
			case m.Account.Status != world.Active:
				apart++
			default:
				theirs = append(theirs, room.ID+" "+m.Account.ID)
			}
		}
	}
	slices.Sort(theirs)
	theirs = slices.Compact(theirs) // a member by two ways
	if !slices.Equal(ours, theirs) {
		t.Errorf("roompulse finds inactive, as room and person:\n%s\nthe sample finds:\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}
	if len(counts) < 20 || len(theirs) < 20 || apart == 0 {
		t.Errorf("the world is too small to show anything: %d active, %d inactive, %d pending or disabled", len(counts), len(theirs), apart)
	}
}

// roompulse runs the command in a process of its own and returns its stdout.
func roompulse(t *testing.T, setting []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "roompulse", args...)
	cmd.Env = append(os.Environ(), setting...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("roompulse %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(stdout)
}

func roompulseInactive(t *testing.T, setting []string, from, to time.Time) (inactive []string) {
	t.Helper()
	var report struct {
		Rooms []struct {
			RoomID   string `json:"room_id"`
			Inactive []struct {
				AccountID string `json:"account_id"`
				State     string `json:"state"`
			} `json:"inactive"`
		} `json:"rooms"`
	}
	answer := roompulse(t, setting, "report", "inactive", "--format", "json", "--owners", "--archived", "--grace", "0",
		"--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339))
	if err := json.Unmarshal([]byte(answer), &report); err != nil {
		t.Fatal(err)
	}
	for _, room := range report.Rooms {
		if strings.Contains(room.RoomID, "-") {
			continue // in third-party storage
		}
		for _, member := range room.Inactive {
			if member.State == "unknown" {
				t.Errorf("room %s: %s is unknown", room.RoomID, member.AccountID)
			}
			inactive = append(inactive, room.RoomID+" "+member.AccountID)
		}
	}
	slices.Sort(inactive)
	return inactive
}

// sampleEvents asks as the sample does, page after page.
func sampleEvents(t *testing.T, host string, from, to time.Time) (events []map[string]any) {
	t.Helper()
	for {
		query := url.Values{
			"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)},
			"startIndex": {strconv.Itoa(len(events))}, "count": {"100"},
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, host+"/api/2.0/security/audit/events/filter?"+query.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+demoportal.DefaultKey)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Response []map[string]any `json:"response"`
		}
		err = json.NewDecoder(answer.Body).Decode(&page)
		_ = answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Response...)
		if len(page.Response) < 100 {
			return events
		}
	}
}

// sampleCounts is the sample's third step: events by room and person.
func sampleCounts(events []map[string]any) map[string]int {
	counts := map[string]int{}
	for _, e := range events {
		room, ok := sampleRoom(e)
		who, _ := first(e, "userId", "account").(string)
		if ok && who != "" && sampleIsRoomActivity(e) {
			counts[fmt.Sprintf("%.0f %s", room, who)]++
		}
	}
	return counts
}

func sampleRoom(e map[string]any) (float64, bool) {
	id := first(e, "roomId", "spaceId", "folderId")
	if entity, ok := e["entity"].(map[string]any); ok && id == nil {
		id = first(entity, "roomId", "spaceId")
	}
	number, ok := id.(float64)
	return number, ok
}

func sampleIsRoomActivity(e map[string]any) bool {
	entity := strings.ToLower(fmt.Sprint(first(e, "entityType", "targetType", "entity")))
	for _, word := range []string{"file", "document", "folder", "room"} {
		if strings.Contains(entity, word) {
			return true
		}
	}
	return false
}

// first is the first of the fields that is there, as JavaScript's || has it for those of an event.
func first(fields map[string]any, names ...string) any {
	for _, name := range names {
		if v := fields[name]; v != nil && v != "" {
			return v
		}
	}
	return nil
}
