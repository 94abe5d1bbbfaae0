package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/store"
)

// history is the answer of `roompulse remind history`. Its JSON is stable.
type history struct {
	Portal        string            `json:"portal"`
	WithinSeconds int64             `json:"within_seconds"` // of a reminder, to have come back
	Reminders     []historyReminder `json:"reminders"`      // newest first
	Digests       []historyDigest   `json:"digests"`        // newest first
	Totals        historyTotals     `json:"totals"`

	within string // as it was typed
}

type historyMail struct {
	Number    int32          `json:"number"`
	State     audit.Delivery `json:"state"`
	Email     string         `json:"email"`
	ClaimedAt time.Time      `json:"claimed_at"`
	SettledAt *time.Time     `json:"settled_at"`
	Attempts  int32          `json:"attempts"`
	Error     string         `json:"error"` // empty if there is none
	Window    historyWindow  `json:"window"`
	MessageID string         `json:"message_id"`
}

type historyWindow struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

type historyReminder struct {
	RoomID      string `json:"room_id"`
	Title       string `json:"title"`
	AccountID   string `json:"account_id"`
	DisplayName string `json:"display_name"`
	Verdict     string `json:"verdict"`
	// CameBack is null while there is time left, or if the mail may not have been sent.
	CameBack   *bool      `json:"came_back"`
	CameBackAt *time.Time `json:"came_back_at"` // first counted event after it; also later than that time
	historyMail
}

type historyDigest struct {
	DisplayName string `json:"display_name"`
	Rooms       int32  `json:"rooms"`
	Members     int32  `json:"members"`
	historyMail
}

// historyTotals count reminders, one per room.
type historyTotals struct {
	Sent      int `json:"sent"`
	Failed    int `json:"failed"`
	Uncertain int `json:"uncertain"`
	Claimed   int `json:"claimed"`
	CameBack  int `json:"came_back"`
	NotBack   int `json:"not_back"`
	// ShareBack is CameBack of CameBack and NotBack; null if both are 0.
	ShareBack *float64 `json:"share_back"`
}

func (a *app) remindHistory(c *cli.Context) error {
	write, ok := map[string]func(io.Writer, history) error{"text": writeHistoryText, "json": writeHistoryJSON}[c.String("format")]
	if !ok {
		return audit.Usagef("--format %q is not known: write text or json", c.String("format"))
	}
	within, err := audit.ParseDuration("--within", c.String("within"))
	if err != nil {
		return err
	}
	return a.withPortal(c, func(r *store.Reader) error {
		coverage, err := r.Coverage(c.Context)
		if err != nil {
			return err
		}
		reminders, digests, err := r.ReminderHistory(c.Context)
		if err != nil {
			return err
		}
		h := newHistory(reminders, digests, within, coverage.CompleteUntil())
		h.Portal, h.within = r.Portal().Host, c.String("within")
		return write(a.stdout, h)
	})
}

func newHistory(reminders []audit.ReminderRecord, digests []audit.DigestRecord, within time.Duration, completeUntil time.Time) history {
	h := history{WithinSeconds: int64(within / time.Second), Reminders: []historyReminder{}, Digests: []historyDigest{}}
	for _, r := range reminders {
		row := historyReminder{
			RoomID: r.RoomID, Title: r.Title, AccountID: r.AccountID, DisplayName: r.Name, Verdict: r.Verdict,
			historyMail: newHistoryMail(r.MailRecord), CameBackAt: timeOrNull(r.CameBackAt),
		}
		deadline := r.ClaimedAt.Add(within)
		back := !r.CameBackAt.IsZero() && !r.CameBackAt.After(deadline)
		if r.State == audit.DeliverySent && (back || !completeUntil.Before(deadline)) {
			row.CameBack = &back
		}
		h.Totals.add(row)
		h.Reminders = append(h.Reminders, row)
	}
	for _, d := range digests {
		h.Digests = append(h.Digests, historyDigest{DisplayName: d.Name, Rooms: d.Rooms, Members: d.Members, historyMail: newHistoryMail(d.MailRecord)})
	}
	if known := h.Totals.CameBack + h.Totals.NotBack; known > 0 {
		h.Totals.ShareBack = new(float64(h.Totals.CameBack) / float64(known))
	}
	return h
}

func newHistoryMail(m audit.MailRecord) historyMail {
	return historyMail{
		Number: m.Number, State: m.State, Email: m.Email, ClaimedAt: m.ClaimedAt, SettledAt: timeOrNull(m.SettledAt),
		Attempts: m.Attempts, Error: m.Error, Window: historyWindow{m.Window.From, m.Window.To}, MessageID: m.MessageID,
	}
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (t *historyTotals) add(r historyReminder) {
	switch r.State {
	case audit.DeliverySent:
		t.Sent++
	case audit.DeliveryFailed:
		t.Failed++
	case audit.DeliveryUncertain:
		t.Uncertain++
	case audit.DeliveryClaimed:
		t.Claimed++
	}
	switch {
	case r.CameBack == nil:
	case *r.CameBack:
		t.CameBack++
	default:
		t.NotBack++
	}
}

func writeHistoryJSON(w io.Writer, h history) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(h)
}

func writeHistoryText(w io.Writer, h history) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(h.Reminders) > 0 {
		fmt.Fprintf(out, "claimed\tstate\tno.\tmember\te-mail\troom\tverdict\tcame back\n")
	}
	for _, r := range h.Reminders {
		back := "-"
		switch {
		case r.CameBack != nil && *r.CameBack:
			back = instant(*r.CameBackAt)
		case r.CameBack != nil:
			back = "no"
		case r.State == audit.DeliverySent:
			back = "not yet"
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\t%s\t%s (%s)\t%s\t%s\n", instant(r.ClaimedAt), r.State, r.Number, audit.Plain(r.DisplayName),
			audit.Plain(r.Email), audit.Plain(r.Title), audit.Plain(r.RoomID), r.Verdict, back)
	}
	for _, d := range h.Digests {
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\t%s\tdigest: %s in %s\t-\t-\n", instant(d.ClaimedAt), d.State, d.Number,
			audit.Plain(d.DisplayName), audit.Plain(d.Email), count(d.Members, "inactive member"), count(d.Rooms, "room"))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	t := h.Totals
	fmt.Fprintf(w, "%s: %d sent, %d failed, %d uncertain, %d being sent", count(int64(len(h.Reminders)), "reminder"), t.Sent, t.Failed, t.Uncertain, t.Claimed)
	if t.ShareBack != nil {
		fmt.Fprintf(w, "; %d of %d came back within %s (%.0f %%)", t.CameBack, t.CameBack+t.NotBack, h.within, 100**t.ShareBack)
	}
	fmt.Fprintln(w)
	for _, r := range h.Reminders {
		explainMail(w, "reminder", r.historyMail)
	}
	for _, d := range h.Digests {
		explainMail(w, "digest", d.historyMail)
	}
	return nil
}

// explainMail says why a mail was not sent, or why nobody knows.
func explainMail(w io.Writer, kind string, m historyMail) {
	if m.Error != "" {
		fmt.Fprintf(w, "%s %s to %s of %s: %s\n", m.State, kind, audit.Plain(m.Email), instant(m.ClaimedAt), audit.Plain(m.Error))
	}
}
