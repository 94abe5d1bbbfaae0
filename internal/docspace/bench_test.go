package docspace

import (
	"encoding/json"
	"testing"
)

func BenchmarkDecodeEvent(b *testing.B) {
	var env envelope
	var items []json.RawMessage
	if err := json.Unmarshal(example(b, "audit-events.1-page.json"), &env); err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(env.Response, &items); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decodeEvent(items[0]); err != nil {
			b.Fatal(err)
		}
	}
}
