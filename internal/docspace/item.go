package docspace

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// field is a field of an item that may mean something.
type field int

const (
	fieldID field = iota
	fieldDate
	fieldUser
	fieldUserID
	fieldAccount
	fieldAction
	fieldActionID
	fieldIP
	fieldCountry
	fieldCity
	fieldBrowser
	fieldPlatform
	fieldPage
	fieldActionType
	fieldProduct
	fieldLocation
	fieldModule
	fieldTarget
	fieldEntries
	fieldContext
	fieldRoomID
	fieldSpaceID
	fieldFolderID
	fieldEntity
	fieldEntityType
	fieldTargetType
)

var fieldNames = [...]string{
	fieldID:         "id",
	fieldDate:       "date",
	fieldUser:       "user",
	fieldUserID:     "userId",
	fieldAccount:    "account",
	fieldAction:     "action",
	fieldActionID:   "actionId",
	fieldIP:         "ip",
	fieldCountry:    "country",
	fieldCity:       "city",
	fieldBrowser:    "browser",
	fieldPlatform:   "platform",
	fieldPage:       "page",
	fieldActionType: "actionType",
	fieldProduct:    "product",
	fieldLocation:   "location",
	fieldModule:     "module",
	fieldTarget:     "target",
	fieldEntries:    "entries",
	fieldContext:    "context",
	fieldRoomID:     "roomId",
	fieldSpaceID:    "spaceId",
	fieldFolderID:   "folderId",
	fieldEntity:     "entity",
	fieldEntityType: "entityType",
	fieldTargetType: "targetType",
}

var knownFields = func() map[string]field {
	known := make(map[string]field, len(fieldNames))
	for f, name := range fieldNames {
		known[name] = field(f)
	}
	return known
}()

// itemReader reads items of the audit trail one after another. Of each it keeps
// what has not been understood yet. What is left in the end goes to
// Event.Extra: a newer portal's fields, and known ones of a type that is not
// theirs. A known field that is null is the same as none.
type itemReader struct {
	in     jsonReader
	fields [len(fieldNames)]json.RawMessage // nil for what the item does not have
	others map[string]json.RawMessage
	array  jsonReader // within the item
	texts  sharedTexts
}

// itemReaders are for pages, one after another: most texts of a page were on others before.
var itemReaders = sync.Pool{New: func() any { return &itemReader{texts: sharedTexts{seed: maphash.MakeSeed()}} }}

func newItemReader(source []byte) *itemReader {
	r := &itemReader{texts: sharedTexts{seed: maphash.MakeSeed()}}
	r.in.reset(source)
	return r
}

// next reads an item and returns it as it came. It fails only where there is no
// valid JSON.
func (r *itemReader) next() (json.RawMessage, error) {
	clear(r.fields[:])
	r.others = nil
	if r.in.PeekKind() != jsontext.KindBeginObject {
		return r.in.next()
	}
	if _, err := r.in.ReadToken(); err != nil {
		return nil, err
	}
	start := r.in.InputOffset() - 1
	for r.in.more() {
		name, err := r.in.next()
		if err != nil {
			return nil, err
		}
		value, err := r.in.next()
		if err != nil {
			return nil, err
		}
		r.set(name, value)
	}
	_, err := r.in.ReadToken()
	return r.in.source[start:r.in.InputOffset()], err
}

// set keeps a field. Of several with one name the last one counts.
func (r *itemReader) set(quotedName, value json.RawMessage) {
	name, _ := unquote(quotedName)
	if f, known := knownFields[string(name)]; known {
		r.fields[f] = value
		return
	}
	if r.others == nil {
		r.others = make(map[string]json.RawMessage)
	}
	r.others[string(name)] = value
}

// take removes a field that is accepted, or null.
func (r *itemReader) take(f field, accept func(json.RawMessage) bool) bool {
	value := &r.fields[f]
	if *value == nil {
		return false
	}
	null := string(*value) == "null"
	ok := !null && accept(*value)
	if ok || null {
		*value = nil
	}
	return ok
}

func (r *itemReader) text(f field) (s sql.NullString) {
	r.take(f, func(raw json.RawMessage) bool {
		s.String, s.Valid = r.texts.of(raw)
		return s.Valid
	})
	return s
}

// account takes an account's id; the sample allows any text, and numbers.
func (r *itemReader) account(f field) (id string) {
	r.take(f, func(raw json.RawMessage) (ok bool) {
		id, ok = r.id(raw)
		return ok
	})
	return id
}

func (r *itemReader) id(raw json.RawMessage) (string, bool) {
	if isNumber(raw) {
		return r.texts.share(raw), true
	}
	return r.texts.of(raw)
}

func (r *itemReader) enum(f field, e enum) (n sql.NullInt16) {
	r.take(f, func(raw json.RawMessage) bool {
		n.Int16 = e.short(raw)
		n.Valid = n.Int16 >= 0
		return n.Valid
	})
	if !n.Valid {
		n.Int16 = 0
	}
	return n
}

// room reads a room's or folder's number, as text.
func (r *itemReader) room(f field) string { return roomNumber(r.fields[f]) }

// list reads an array whose elements are all accepted.
func (r *itemReader) list(raw json.RawMessage, accept func(json.RawMessage) bool) bool {
	r.array.reset(raw)
	if r.array.PeekKind() != jsontext.KindBeginArray {
		return false
	}
	_, _ = r.array.ReadToken() // the bracket seen above
	for r.array.more() {
		element, err := r.array.next()
		if err != nil || !accept(element) {
			return false
		}
	}
	return true
}

// understood reports whether nothing is left of the item.
func (r *itemReader) understood() bool {
	known := func(value json.RawMessage) bool { return value != nil }
	return r.others == nil && !slices.ContainsFunc(r.fields[:], known)
}

// extra is what is left, as one object; nil if nothing is.
func (r *itemReader) extra() json.RawMessage {
	left := r.others
	if left == nil {
		left = make(map[string]json.RawMessage)
	}
	for i, value := range r.fields[:] {
		if value != nil {
			left[fieldNames[i]] = value
		}
	}
	rest := redactJSON(encode(left))
	if string(rest) == "{}" {
		return nil
	}
	return rest
}

// jsonReader takes JSON apart. Like encoding/json it lets fields come twice and
// UTF-8 be broken. From Go 1.27 on jsontext is in the standard library.
type jsonReader struct {
	jsontext.Decoder
	source []byte
	buffer bytes.Buffer
}

func (r *jsonReader) reset(source []byte) {
	r.source, r.buffer = source, *bytes.NewBuffer(source)
	r.Reset(&r.buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// more reports whether the array or object goes on. It does not where the JSON
// is damaged, which the next reading tells.
func (r *jsonReader) more() bool {
	kind := r.PeekKind()
	return kind != jsontext.KindEndArray && kind != jsontext.KindEndObject && kind != jsontext.KindInvalid
}

// next reads a value, or a field's name. It is a part of the source; what
// ReadValue returns is the same but may be used only until the next reading.
func (r *jsonReader) next() (json.RawMessage, error) {
	value, err := r.ReadValue()
	end := r.InputOffset()
	return r.source[end-int64(len(value)) : end], err
}

// end reports whether nothing follows.
func (r *jsonReader) end() bool {
	_, err := r.ReadToken()
	return errors.Is(err, io.EOF)
}

// sharedTexts makes one string of equal ones. On pages of events most texts
// repeat, and they are much of what a backfill holds in memory. It remembers
// one text of each hash, so it never grows.
type sharedTexts struct {
	seed  maphash.Seed
	texts [1024]string
}

// of is stringOf.
func (s *sharedTexts) of(raw json.RawMessage) (string, bool) {
	b, ok := unquote(raw)
	return s.share(b), ok
}

func (s *sharedTexts) share(b []byte) string {
	text := &s.texts[maphash.Bytes(s.seed, b)%uint64(len(s.texts))]
	if *text != string(b) {
		*text = string(b)
	}
	return *text
}
