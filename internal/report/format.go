package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
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
	// ByDay formats show activity by day: their reports of inactive members are
	// made with [InactiveByDay].
	ByDay bool
	// Rows formats have no place for the data quality either.
	Rows bool

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
		{Name: "ndjson", Rows: true, inactive: writeInactiveNDJSON, activity: writeActivityNDJSON},
		{Name: "csv", Rows: true, inactive: writeInactiveCSV, activity: writeActivityCSV},
		{Name: "markdown", Prose: true, inactive: writeInactiveMarkdown, activity: writeActivityMarkdown},
		{Name: "html", Prose: true, ByDay: true, inactive: writeInactiveHTML, activity: writeActivityHTML},
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

// fileNames are the formats that the name of a file tells.
var fileNames = map[string]string{
	".txt": "table", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".md": "markdown", ".html": "html", ".htm": "html",
}

// FileFormat is the format that a file's name tells, empty if it tells none.
func FileFormat(file string) string { return fileNames[strings.ToLower(filepath.Ext(file))] }

// ParseFormat returns the format of a --format, else a [audit.UsageError]. An
// empty name stands for the format that the file's name tells; a name without
// an extension tells of table.
func ParseFormat(name, file string) (Format, error) {
	all := formats()
	if name == "" {
		if extension := filepath.Ext(file); extension != "" && FileFormat(file) == "" {
			return Format{}, audit.Usagef("%s: no format is known by %s: give --format %s", file, extension, strings.Join(FormatNames(), ", "))
		}
		name = cmp.Or(FileFormat(file), all[0].Name)
	}
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, audit.Usagef("--format %q is not known: write %s", name, strings.Join(FormatNames(), ", "))
	}
	return all[i], nil
}

// WriteInactive writes a report of inactive members.
func (f Format) WriteInactive(w io.Writer, r *InactiveReport, o Options) error {
	return f.write(w, func(w io.Writer) error { return f.inactive(w, r, o) })
}

// WriteActivity writes a report of activity.
func (f Format) WriteActivity(w io.Writer, r *ActivityReport, o Options) error {
	return f.write(w, func(w io.Writer) error { return f.activity(w, r, o) })
}

func (f Format) write(w io.Writer, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
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
