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

func (a *app) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "say how far the data of a portal are complete, and how the last runs of sync went",
		Flags: []cli.Flag{portalFlag, &cli.StringFlag{Name: "format", Usage: "write as `FORMAT` text or json", Value: "text"}},
		Action: func(c *cli.Context) error {
			write, ok := map[string]func(io.Writer, status) error{"text": writeStatusText, "json": writeStatusJSON}[c.String("format")]
			if !ok {
				return audit.Usagef("--format %q is not known: write text or json", c.String("format"))
			}
			st, err := a.readyWarehouse(c.Context)
			if err != nil {
				return err
			}
			defer st.Close()
			s, err := a.readStatus(c, st)
			if err != nil {
				return err
			}
			return write(a.stdout, s)
		},
	}
}

// status is the answer of `roompulse status`. Its JSON is stable.
type status struct {
	Portal             string      `json:"portal"`
	CompleteFrom       *time.Time  `json:"complete_from"`
	CompleteUntil      *time.Time  `json:"complete_until"`
	LagSeconds         *int64      `json:"lag_seconds"`
	Events             int64       `json:"events"`
	UnattributedEvents int64       `json:"unattributed_events"`
	InferredEvents     int64       `json:"inferred_events"`
	QuarantinedEvents  int64       `json:"quarantined_events"`
	Gaps               []statusGap `json:"gaps"`
	UnknownActions     []int32     `json:"unknown_actions"`
	TitlesConfirmed    int64       `json:"titles_confirmed"`
	TitlesContradicted int64       `json:"titles_contradicted"`
	Runs               []audit.Run `json:"runs"`
}

type statusGap struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Accepted bool      `json:"accepted"`
}

func (a *app) readStatus(c *cli.Context, st *store.Store) (status, error) {
	portal, err := selectedPortal(c.Context, c, st)
	if err != nil {
		return status{}, err
	}
	reader := st.Reader(portal)
	facts, err := reader.StatusFacts(c.Context)
	if err != nil {
		return status{}, err
	}
	s := status{
		Portal: facts.Portal, Events: facts.Events.Events, UnattributedEvents: facts.Events.Unattributed,
		InferredEvents: facts.Events.Inferred, QuarantinedEvents: facts.Events.Quarantined, Gaps: []statusGap{},
		UnknownActions: facts.UnknownActions, Runs: facts.Runs,
		TitlesConfirmed: facts.TitlesConfirmed, TitlesContradicted: facts.TitlesContradicted,
	}
	if until := facts.Coverage.CompleteUntil(); !until.IsZero() {
		from, lag := facts.Coverage.CompleteFrom(), int64(a.now().Sub(until)/time.Second)
		s.CompleteFrom, s.CompleteUntil, s.LagSeconds = &from, &until, &lag
		for _, gap := range facts.Coverage.Missing(audit.Span{From: facts.Coverage.Floor, To: until}) {
			s.Gaps = append(s.Gaps, statusGap{gap.From, gap.To, gap.Accepted})
		}
	}
	return s, nil
}

func writeStatusJSON(w io.Writer, s status) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

func writeStatusText(w io.Writer, s status) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "portal\t%s\n", s.Portal)
	if s.CompleteUntil == nil {
		fmt.Fprintf(out, "complete\tnothing yet: run `roompulse sync`\n")
	} else {
		fmt.Fprintf(out, "complete\t%s to %s\n", instant(*s.CompleteFrom), instant(*s.CompleteUntil))
		fmt.Fprintf(out, "lag\t%s\n", time.Duration(*s.LagSeconds)*time.Second)
	}
	fmt.Fprintf(out, "events\t%d\n", s.Events)
	fmt.Fprintf(out, "without a room\t%s\n", share(s.UnattributedEvents, s.Events))
	fmt.Fprintf(out, "room inferred\t%s; logs confirmed %d inferences and corrected %d\n",
		share(s.InferredEvents, s.Events), s.TitlesConfirmed, s.TitlesContradicted)
	fmt.Fprintf(out, "not understood\t%d in quarantine, %d unknown actions\n", s.QuarantinedEvents, len(s.UnknownActions))
	for _, gap := range s.Gaps {
		state := "missing"
		if gap.Accepted {
			state = "missing (accepted)"
		}
		fmt.Fprintf(out, "%s\t%s to %s\n", state, instant(gap.From), instant(gap.To))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if len(s.Runs) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nlast runs\n")
	fmt.Fprintf(out, "run\tstarted\ttook\toutcome\tnew\tlate\trequests\tretries\t429\n")
	for _, r := range s.Runs {
		took := "-"
		if r.FinishedAt != nil {
			took = r.FinishedAt.Sub(r.StartedAt).Round(time.Second).String()
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", r.ID, instant(r.StartedAt), took, r.Outcome,
			r.EventsNew, r.EventsLate, r.Requests, r.Retries, r.Throttled)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, r := range s.Runs {
		if r.Error != "" {
			fmt.Fprintf(w, "run %d: %s\n", r.ID, r.Error)
		}
	}
	return nil
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func share(n, of int64) string {
	if of == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.1f %%)", n, 100*float64(n)/float64(of))
}
