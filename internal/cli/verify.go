package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/store"
)

func (a *app) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "prove that the warehouse agrees with itself, or make it agree",
		Description: "Compares what reports read with the raw events, what events count as with the rules of this version, and what\n" +
			"is called complete with what is there. Ends with 1 if something is wrong and not repaired. It may run beside a sync.\n\n" +
			"--repair puts right what is wrong, and is in order after an update that changed what counts. It needs the lock\n" +
			"that sync needs. Spans of which events were lost it calls incomplete again, and ends with 3: run `roompulse sync`,\n" +
			"which reads them again. It may be broken off at any time.",
		Flags: []cli.Flag{portalFlag, &cli.BoolFlag{Name: "repair", Usage: "put right what is wrong"}},
		Action: func(c *cli.Context) error {
			st, err := a.readyWarehouse(c.Context)
			if err != nil {
				return err
			}
			defer st.Close()
			portal, err := selectedPortal(c.Context, c, st)
			if err != nil {
				return err
			}
			return a.verify(c.Context, st, portal, c.Bool("repair"))
		},
	}
}

func (a *app) verify(ctx context.Context, st *store.Store, portal store.Portal, repair bool) error {
	tell := func(day time.Time) { a.stderr.show("comparing "+day.Format(time.DateOnly), "", 0, 0) }
	defer a.stderr.done()
	var v audit.Verification
	var err error
	if repair {
		v, err = a.repair(ctx, st, portal, tell)
	} else {
		v, err = st.Reader(portal).Verify(ctx, tell)
	}
	a.stderr.done()
	if err != nil {
		return err
	}
	if err := writeVerification(a.stdout, portal, v); err != nil {
		return err
	}
	switch {
	case !v.Sound() && repair:
		return errors.New("not everything could be put right: see above")
	case !v.Sound():
		return errors.New("the warehouse does not agree with itself: run `roompulse verify --repair`")
	case slices.ContainsFunc(v.Findings, reopened):
		return fmt.Errorf("%w where events were lost: run `roompulse sync`, which reads them again", errIncomplete)
	}
	return nil
}

func (a *app) repair(ctx context.Context, st *store.Store, portal store.Portal, tell func(time.Time)) (audit.Verification, error) {
	known := func(context.Context) (string, error) { return portal.OwnerID, nil }
	w, err := st.OpenWriter(ctx, portal.Host, known, a.now())
	if err != nil {
		return audit.Verification{}, explainLock(err)
	}
	defer w.Close()
	return w.Repair(ctx, a.now(), tell)
}

// reopened reports whether a repair made windows incomplete, for a sync to complete them.
func reopened(f audit.Finding) bool { return f.Part == audit.PartWindows && f.Repaired }

// wrong says what is counted of a part.
var wrong = map[audit.Part]string{
	audit.PartReferences:   "events that name something which is not there",
	audit.PartClasses:      "events that count as something else than by the rules of this version",
	audit.PartRoomDays:     "rows that differ from the raw events",
	audit.PartAccountDays:  "rows that differ from the raw events",
	audit.PartEventHours:   "rows that differ from the raw events",
	audit.PartEventDays:    "rows that differ from the raw events",
	audit.PartRoomLasts:    "rows that differ from room_day",
	audit.PartAccountLasts: "rows that differ from account_day",
	audit.PartWindows:      "windows that are called complete and lack events, or that overlap",
	audit.PartComplete:     "spans that differ from sync_window",
}

func writeVerification(w io.Writer, portal store.Portal, v audit.Verification) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "portal\t%s\nevents\t%d\ndays\t%d\nwindows\t%d\n", portal.Host, v.Events, v.Days, v.Windows)
	if len(v.Findings) == 0 {
		fmt.Fprintf(out, "wrong\tnothing\n")
	}
	for _, f := range v.Findings {
		state := "wrong"
		switch {
		case reopened(f):
			state = "reopened"
		case f.Repaired:
			state = "repaired"
		}
		span := f.First.Format(time.DateOnly)
		if f.First.IsZero() { // of no day
			span = "-"
		} else if last := f.Last.Format(time.DateOnly); last != span {
			span += " to " + last
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\t%s\n", state, f.Part, f.Rows, span, wrong[f.Part])
	}
	return out.Flush()
}
