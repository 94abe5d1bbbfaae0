package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/docspace"
	"roompulse/internal/store"
)

func (a *app) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "say how far the data of a portal are complete, and how the last runs of sync went",
		Flags: []cli.Flag{
			portalFlag,
			&cli.StringFlag{Name: "format", Usage: "write as `FORMAT` text or json", Value: "text"},
			&cli.StringFlag{Name: "max-lag", Usage: "end with 3 if complete data end longer than `DURATION` ago, such as 2h; for monitoring"},
		},
		Action: func(c *cli.Context) error {
			write, ok := map[string]func(io.Writer, status) error{"text": writeStatusText, "json": writeStatusJSON}[c.String("format")]
			if !ok {
				return audit.Usagef("--format %q is not known: write text or json", c.String("format"))
			}
			var maxLag *time.Duration
			if text := c.String("max-lag"); text != "" {
				d, err := audit.ParseDuration("--max-lag", text)
				if err != nil {
					return err
				}
				maxLag = &d
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
			if err := write(a.stdout, s); err != nil {
				return err
			}
			return s.checkLag(maxLag)
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
	RateBudget         rateBudget  `json:"rate_budget"`
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
		TitlesConfirmed: facts.TitlesConfirmed, TitlesContradicted: facts.TitlesContradicted, RateBudget: budgetOf(facts.Runs),
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

// checkLag returns errOld if complete data end longer ago than wanted, or errIncomplete if there are none; nil is any time.
func (s status) checkLag(most *time.Duration) error {
	switch {
	case most == nil:
		return nil
	case s.LagSeconds == nil:
		return fmt.Errorf("%w: nothing is complete yet; run `roompulse sync`", errIncomplete)
	}
	if lag := time.Duration(*s.LagSeconds) * time.Second; lag > *most {
		return fmt.Errorf("%w: they end at %s, %s ago; run `roompulse sync`", errOld, instant(*s.CompleteUntil), lag)
	}
	return nil
}

// rateBudget is how much of what the portal grants the last runs have used.
type rateBudget struct {
	// Granted is what DocSpace grants a person in a minute, all keys and browsers together.
	Granted int32 `json:"granted_per_minute"`
	// Used is the most that one of the runs sent in a minute, on its average.
	Used int32 `json:"used_per_minute"`
	// Throttled counts the requests that the portal refused for being too many.
	Throttled int32 `json:"throttled"`
}

func budgetOf(runs []audit.Run) rateBudget {
	b := rateBudget{Granted: docspace.RequestsGranted}
	for _, r := range runs {
		b.Throttled += r.Throttled
		if r.FinishedAt == nil {
			continue // of a run that goes on or died there are no counts
		}
		minutes := max(1, r.FinishedAt.Sub(r.StartedAt).Minutes())
		b.Used = max(b.Used, int32(float64(r.Requests)/minutes))
	}
	return b
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
	fmt.Fprintf(out, "rate budget\t%d of %d requests a minute used at most; %d refused (429)\n",
		s.RateBudget.Used, s.RateBudget.Granted, s.RateBudget.Throttled)
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
	fmt.Fprintf(out, "run\tstarted\ttook\toutcome\tnew\tlate\tlatest by\trequests\tretries\t429\n")
	for _, r := range s.Runs {
		took := "-"
		if r.FinishedAt != nil {
			took = r.FinishedAt.Sub(r.StartedAt).Round(time.Second).String()
		}
		late := "-"
		if r.EventsLate > 0 {
			late = (time.Duration(r.MaxLate) * time.Second).String()
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%d\t%d\t%s\t%d\t%d\t%d\n", r.ID, instant(r.StartedAt), took, r.Outcome,
			r.EventsNew, r.EventsLate, late, r.Requests, r.Retries, r.Throttled)
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
