package audit

// ColumnType says what the values of an exported column are. Each is nil where
// the database has NULL.
type ColumnType int

// The types, and what a value of each is in Go.
const (
	ColumnText  ColumnType = iota // string
	ColumnJSON                    // string, a JSON value
	ColumnBool                    // bool
	ColumnInt16                   // int16
	ColumnInt32                   // int32
	ColumnInt64                   // int64
	ColumnFloat                   // float64
	ColumnTime                    // time.Time in UTC, to the microsecond
	ColumnDate                    // time.Time, the midnight of the day in UTC
	ColumnTexts                   // []*string
	ColumnInts                    // []*int64
)

// Column is a column of an exported view.
type Column struct {
	Name string
	Type ColumnType
}

// ExportHead is what is known of an export before its first row, from the same
// state of the warehouse.
type ExportHead struct {
	Portal   string // base URL
	Columns  []Column
	Coverage Coverage
}
