package export

import (
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"roompulse/internal/audit"
)

const (
	// rowsPerGroup bounds what is in memory. It is the size of DuckDB's own row groups: readers
	// take groups in parallel, and skip those that a filter on occurred_at excludes.
	rowsPerGroup = 122_880
	// rowsPerBatch is how many rows are handed over at once.
	rowsPerBatch = 256
	// dictionaryBytes is when texts of a column in a row group are so many different
	// ones that a dictionary of them saves nothing.
	dictionaryBytes = 1 << 20
)

// columnsNode is a group whose columns stay in the view's order; a
// [parquet.Group] sorts them by name.
type columnsNode struct {
	parquet.Group
	fields []parquet.Field
}

func (n columnsNode) Fields() []parquet.Field { return n.fields }

func newSchema(view string, columns []audit.Column) *parquet.Schema {
	node := columnsNode{Group: parquet.Group{}, fields: make([]parquet.Field, len(columns))}
	position := make(map[string]int, len(columns))
	for i, c := range columns {
		node.Group[c.Name] = parquet.Optional(columnNode(c.Type))
		position[c.Name] = i
	}
	for _, field := range node.Group.Fields() {
		node.fields[position[field.Name()]] = field
	}
	return parquet.NewSchema(view, node)
}

func columnNode(t audit.ColumnType) parquet.Node {
	switch t {
	case audit.ColumnJSON:
		return parquet.JSON()
	case audit.ColumnBool:
		return parquet.Leaf(parquet.BooleanType)
	case audit.ColumnInt16:
		return parquet.Encoded(parquet.Int(16), &parquet.RLEDictionary)
	case audit.ColumnInt32:
		return parquet.Encoded(parquet.Int(32), &parquet.RLEDictionary)
	case audit.ColumnInt64:
		return parquet.Encoded(parquet.Int(64), &parquet.DeltaBinaryPacked)
	case audit.ColumnFloat:
		return parquet.Leaf(parquet.DoubleType)
	case audit.ColumnTime:
		return parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked)
	case audit.ColumnDate:
		return parquet.Encoded(parquet.Date(), &parquet.RLEDictionary)
	case audit.ColumnTexts:
		return parquet.List(parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)))
	case audit.ColumnInts:
		return parquet.List(parquet.Optional(parquet.Int(64)))
	case audit.ColumnText:
	}
	return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
}

// parquetWriter writes Apache Parquet, compressed with Zstandard.
type parquetWriter struct {
	out     *parquet.GenericWriter[any]
	columns []audit.Column
	batch   []parquet.Row
	n       int // rows in it
}

func newParquet(out io.Writer, h header) (rowWriter, error) {
	options := []parquet.WriterOption{
		newSchema(h.view, h.Columns), parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowsPerGroup),
		parquet.DictionaryMaxBytes(dictionaryBytes), parquet.CreatedBy("roompulse", "", ""),
		parquet.KeyValueMetadata("roompulse.portal", h.Portal), parquet.KeyValueMetadata("roompulse.view", h.view),
	}
	for name, at := range map[string]time.Time{
		"from": h.window.From, "to": h.window.To, "complete_from": h.Coverage.CompleteFrom(), "complete_until": h.Coverage.CompleteUntil(),
	} {
		if !at.IsZero() {
			options = append(options, parquet.KeyValueMetadata("roompulse."+name, at.UTC().Format(time.RFC3339Nano)))
		}
	}
	return &parquetWriter{
		out: parquet.NewGenericWriter[any](out, options...), columns: h.Columns, batch: make([]parquet.Row, rowsPerBatch),
	}, nil
}

func (w *parquetWriter) write(values []any) error {
	row := w.batch[w.n][:0]
	for column, value := range values {
		row = appendValue(row, column, w.columns[column].Type, value)
	}
	w.batch[w.n] = row
	if w.n++; w.n < len(w.batch) {
		return nil
	}
	return w.flush()
}

func (w *parquetWriter) flush() error {
	_, err := w.out.WriteRows(w.batch[:w.n])
	w.n = 0
	return err
}

func (w *parquetWriter) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.out.Close()
}

// appendValue appends a value with its levels: of a column that may be NULL, 0 stands for
// NULL and 1 for a value.
func appendValue(row parquet.Row, column int, t audit.ColumnType, value any) parquet.Row {
	var v parquet.Value
	switch value := value.(type) {
	case nil:
		return append(row, parquet.NullValue().Level(0, 0, column))
	case []*string:
		return appendElements(row, column, value)
	case []*int64:
		return appendElements(row, column, value)
	case time.Time:
		v = parquet.Int64Value(value.UnixMicro())
		if t == audit.ColumnDate {
			v = parquet.Int32Value(int32(value.Unix() / (24 * 60 * 60))) //nolint:gosec // days
		}
	case int16:
		v = parquet.Int32Value(int32(value))
	default:
		v = parquet.ValueOf(value)
	}
	return append(row, v.Level(0, 1, column))
}

// appendElements appends a list: level 1 is one without elements, 2 an element that is NULL,
// 3 one that is not.
func appendElements[T any](row parquet.Row, column int, list []*T) parquet.Row {
	if len(list) == 0 {
		return append(row, parquet.NullValue().Level(0, 1, column))
	}
	for i, element := range list {
		again := min(i, 1) // the first begins the list
		if element == nil {
			row = append(row, parquet.NullValue().Level(again, 2, column))
		} else {
			row = append(row, parquet.ValueOf(*element).Level(again, 3, column))
		}
	}
	return row
}
