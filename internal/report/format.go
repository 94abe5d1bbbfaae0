package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"roompulse/internal/audit"
)

// Format is a way to write reports.
type Format struct {
	Name string
	// Prose formats show notices where people see them first. Of others, which
	// programs read, notices are the caller's to tell.
	Prose bool

	inactive func(io.Writer, *InactiveReport, Options) error
	activity func(io.Writer, *ActivityReport, Options) error
}

// Options say what a format may do with the place it writes to.
type Options struct {
	Width int  // columns of the terminal; 0: no limit
	Color bool // ANSI colours are welcome
}

func formats() []Format {
	return []Format{
		{Name: "table", Prose: true, inactive: writeInactiveTable, activity: writeActivityTable},
		{
			Name:     "json",
			inactive: func(w io.Writer, r *InactiveReport, _ Options) error { return writeJSON(w, r) },
			activity: func(w io.Writer, r *ActivityReport, _ Options) error { return writeJSON(w, r) },
		},
	}
}

// FormatNames returns the values of --format.
func FormatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.Name)
	}
	return names
}

// ParseFormat returns the format of a --format, else a [audit.UsageError].
func ParseFormat(name string) (Format, error) {
	all := formats()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, audit.Usagef("--format %q is not known: write %s", name, strings.Join(FormatNames(), " or "))
	}
	return all[i], nil
}

// WriteInactive writes a report of inactive members.
func (f Format) WriteInactive(w io.Writer, r *InactiveReport, o Options) error {
	if err := f.inactive(w, r, o); err != nil {
		return fmt.Errorf("write the report as %s: %w", f.Name, err)
	}
	return nil
}

// WriteActivity writes a report of activity.
func (f Format) WriteActivity(w io.Writer, r *ActivityReport, o Options) error {
	if err := f.activity(w, r, o); err != nil {
		return fmt.Errorf("write the report as %s: %w", f.Name, err)
	}
	return nil
}

func writeJSON(w io.Writer, report any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
