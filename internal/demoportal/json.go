package demoportal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// writer appends JSON. It puts the commas itself, judging by the last byte.
type writer struct{ b []byte }

func (w *writer) comma() {
	if len(w.b) > 0 {
		switch w.b[len(w.b)-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(bracket byte) {
	w.comma()
	w.b = append(w.b, bracket)
}

func (w *writer) close(bracket byte) { w.b = append(w.b, bracket) }

// key writes the name of a field; the value has to follow.
func (w *writer) key(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// object writes the field name, or an element of an array if name is empty, as an object.
func (w *writer) object(name string, fields func()) {
	if name != "" {
		w.key(name)
	}
	w.open('{')
	fields()
	w.close('}')
}

// array writes the field name as an array.
func (w *writer) array(name string, elements func()) {
	if name != "" {
		w.key(name)
	}
	w.open('[')
	elements()
	w.close(']')
}

func (w *writer) raw(json string) {
	w.comma()
	w.b = append(w.b, json...)
}

func (w *writer) text(s string) {
	w.comma()
	w.b = appendString(w.b, s)
}

func (w *writer) number(n int) {
	w.comma()
	w.b = strconv.AppendInt(w.b, int64(n), 10)
}

func (w *writer) textField(name, s string) {
	w.key(name)
	w.text(s)
}

func (w *writer) numberField(name string, n int) {
	w.key(name)
	w.number(n)
}

func (w *writer) boolField(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				b = append(b, s[start:i]...)
				switch c {
				case '"', '\\':
					b = append(b, '\\', c)
				default:
					const hex = "0123456789abcdef"
					b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
				}
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + 1
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// fieldTree is the query parameter fields, taken apart: "id,a.b" keeps id, and of a
// only b. A name without children is kept whole.
type fieldTree map[string]fieldTree

func parseFields(s string) fieldTree {
	tree := fieldTree{}
	for path := range strings.SplitSeq(s, ",") {
		node := tree
		for name := range strings.SplitSeq(path, ".") {
			if node[name] == nil {
				node[name] = fieldTree{}
			}
			node = node[name]
		}
	}
	return tree
}

// cut removes the fields that are not asked for.
func (t fieldTree) cut(response []byte) ([]byte, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(response))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	t.prune(value)
	return json.Marshal(value)
}

func (t fieldTree) prune(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			t.prune(element)
		}
	case map[string]any:
		for name, field := range v {
			sub, ok := t[name]
			switch {
			case !ok:
				delete(v, name)
			case len(sub) > 0:
				sub.prune(field)
			}
		}
	}
}
