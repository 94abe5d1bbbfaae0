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

// fieldNames are the fields of an item that may mean something.
var fieldNames = [...]string{
	"id", "date", "user", "userId", "account", "action", "actionId", "ip", "country", "city", "browser", "platform", "page",
	"actionType", "product", "location", "module", "target", "entries", "context",
	"roomId", "spaceId", "folderId", "entity", "entityType", "targetType",
}

var fieldPlaces = func() map[string]int {
	places := make(map[string]int, len(fieldNames))
	for i, name := range fieldNames {
		places[name] = i
	}
	return places
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
	if i, known := fieldPlaces[string(name)]; known {
		r.fields[i] = value
		return
	}
	if r.others == nil {
		r.others = make(map[string]json.RawMessage)
	}
	r.others[string(name)] = value
}

func (r *itemReader) field(name string) *json.RawMessage { return &r.fields[fieldPlaces[name]] }

// take removes a field that is accepted, or null.
func (r *itemReader) take(name string, accept func(json.RawMessage) bool) bool {
	field := r.field(name)
	if *field == nil {
		return false
	}
	null := string(*field) == "null"
	ok := !null && accept(*field)
	if ok || null {
		*field = nil
	}
	return ok
}

func (r *itemReader) text(name string) (s sql.NullString) {
	r.take(name, func(raw json.RawMessage) bool {
		s.String, s.Valid = r.texts.of(raw)
		return s.Valid
	})
	return s
}

// account takes an account's id; the sample allows any text, and numbers.
func (r *itemReader) account(name string) (id string) {
	r.take(name, func(raw json.RawMessage) (ok bool) {
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

func (r *itemReader) enum(name string, e enum) (n sql.NullInt16) {
	r.take(name, func(raw json.RawMessage) bool {
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
func (r *itemReader) room(name string) string { return roomNumber(*r.field(name)) }

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
