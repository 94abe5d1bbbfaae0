// Package export writes views of the warehouse to files for other programs, row
// by row: however many there are, it takes the memory for some of them.
package export

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"roompulse/internal/audit"
)

// Source reads the rows of a view; see [Run].
type Source interface {
	// Export calls head once, then row for each row, with the values of the head's columns in their
	// order. row must not keep the slice. All is from one state of the warehouse.
	Export(ctx context.Context, view string, w audit.Window, head func(audit.ExportHead) error, row func([]any) error) error
}

// Format is a way to write rows.
type Format struct {
	Name string
	// Binary formats are not for a terminal.
	Binary bool

	extensions []string
	open       func(io.Writer, header) (rowWriter, error)
}

// header is what a file is about.
type header struct {
	audit.ExportHead
	view   string
	window audit.Window // zero if the view has none
}

// rowWriter writes rows. What it was given is complete when it was closed; it is
// not closed if anything failed.
type rowWriter interface {
	write(row []any) error
	close() error
}

func formats() []Format {
	return []Format{
		{Name: "csv", extensions: []string{".csv"}, open: newCSV},
		{Name: "ndjson", extensions: []string{".ndjson", ".jsonl"}, open: newNDJSON},
		{Name: "parquet", Binary: true, extensions: []string{".parquet", ".pq"}, open: newParquet},
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

// ParseFormat returns the format of a --format, else a [audit.UsageError]. An
// empty name stands for the format that the file's name tells, and csv if the name has no
// extension.
func ParseFormat(name, file string) (Format, error) {
	all := formats()
	extension := strings.ToLower(filepath.Ext(file))
	i := slices.IndexFunc(all, func(f Format) bool {
		return f.Name == name || name == "" && (extension == "" || slices.Contains(f.extensions, extension))
	})
	there := strings.Join(FormatNames(), ", ")
	switch {
	case i >= 0:
		return all[i], nil
	case name == "":
		return Format{}, audit.Usagef("%s: no format is known by %s: give --format %s", file, extension, there)
	}
	return Format{}, audit.Usagef("--format %q is not known: write %s", name, there)
}

// Result says what was written, and what it rests on.
type Result struct {
	Rows     int64
	Coverage audit.Coverage
}

// Run writes the rows of a view, those of a window if the view has one.
func Run(ctx context.Context, source Source, view string, w audit.Window, f Format, out io.Writer) (Result, error) {
	var result Result
	var rows rowWriter
	err := source.Export(ctx, view, w, func(head audit.ExportHead) (err error) {
		result.Coverage = head.Coverage
		rows, err = f.open(out, header{ExportHead: head, view: view, window: w})
		return err
	}, func(row []any) error {
		result.Rows++
		return rows.write(row)
	})
	if err == nil {
		err = rows.close()
	}
	if err != nil {
		return result, fmt.Errorf("export %s as %s: %w", view, f.Name, err)
	}
	return result, nil
}
