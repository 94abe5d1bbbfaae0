package export

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"roompulse/internal/audit"
)

// lines writes one line a row.
type lines struct {
	out  *bufio.Writer
	line []byte
	// names are the columns' as JSON, with a colon; of CSV none.
	names   [][]byte
	columns []audit.Column
}

func newLines(out io.Writer, columns []audit.Column) lines {
	return lines{out: bufio.NewWriterSize(out, 1<<16), columns: columns}
}

func (l *lines) close() error { return l.out.Flush() }

// ndjson writes a JSON object a line, with all columns in their order.
type ndjson struct{ lines }

func newNDJSON(out io.Writer, h header) (rowWriter, error) {
	w := &ndjson{newLines(out, h.Columns)}
	for _, c := range h.Columns {
		name, err := jsontext.AppendQuote(nil, c.Name)
		if err != nil {
			return nil, err
		}
		w.names = append(w.names, append(name, ':'))
	}
	return w, nil
}

func (w *ndjson) write(row []any) (err error) {
	b := w.line[:0]
	for i, value := range row {
		b = append(b, "{,"[min(i, 1)])
		b = append(b, w.names[i]...)
		if b, err = appendJSON(b, w.columns[i].Type, value); err != nil {
			return err
		}
	}
	b = append(b, "}\n"...)
	w.line = b
	_, err = w.out.Write(b)
	return err
}

// appendJSON writes a value: times as in all JSON of roompulse, what is not a
// number as null.
func appendJSON(b []byte, t audit.ColumnType, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		if t == audit.ColumnJSON {
			return append(b, v...), nil
		}
		return jsontext.AppendQuote(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...), nil
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64), nil
	case []*string:
		return appendList(b, v, jsontext.AppendQuote[string])
	case []*int64:
		return appendList(b, v, func(b []byte, n int64) ([]byte, error) { return strconv.AppendInt(b, n, 10), nil })
	case time.Time:
		b = append(b, '"')
		b = appendTime(b, t, v)
		return append(b, '"'), nil
	}
	return appendInt(b, value), nil
}

func appendInt(b []byte, value any) []byte {
	var n int64
	switch v := value.(type) {
	case int16:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	}
	return strconv.AppendInt(b, n, 10)
}

func appendTime(b []byte, t audit.ColumnType, at time.Time) []byte {
	if t == audit.ColumnDate {
		return at.AppendFormat(b, time.DateOnly)
	}
	return at.AppendFormat(b, time.RFC3339Nano)
}

func appendList[T any](b []byte, list []*T, appendOne func([]byte, T) ([]byte, error)) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if v == nil {
			b = append(b, "null"...)
		} else if b, err = appendOne(b, *v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// csv writes RFC 4180 with the names first. Lists are JSON. As in PostgreSQL's own
// CSV, NULL is an empty cell and an empty text is a pair of quotes, which
// [encoding/csv] has no way to write.
type csv struct{ lines }

func newCSV(out io.Writer, h header) (rowWriter, error) {
	w := &csv{newLines(out, h.Columns)}
	for i, c := range h.Columns {
		w.line = w.separate(w.line, i)
		w.line = appendCell(w.line, c.Name)
	}
	err := w.end()
	return w, err
}

func (w *csv) separate(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func (w *csv) end() error {
	w.line = append(w.line, "\r\n"...)
	_, err := w.out.Write(w.line)
	w.line = w.line[:0]
	return err
}

func (w *csv) write(row []any) error {
	for i, value := range row {
		w.line = w.separate(w.line, i)
		switch v := value.(type) {
		case nil:
		case string:
			w.line = appendCell(w.line, audit.Inert(v))
		case time.Time:
			w.line = appendTime(w.line, w.columns[i].Type, v)
		case []*string, []*int64:
			list, err := appendJSON(nil, w.columns[i].Type, v)
			if err != nil {
				return err
			}
			w.line = appendCell(w.line, string(list))
		case float64:
			w.line = strconv.AppendFloat(w.line, v, 'g', -1, 64)
		case bool:
			w.line = strconv.AppendBool(w.line, v)
		default:
			w.line = appendInt(w.line, v)
		}
	}
	return w.end()
}

func appendCell(b []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
