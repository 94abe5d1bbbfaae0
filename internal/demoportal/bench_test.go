package demoportal_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/worldgen"
)

func BenchmarkPages(b *testing.B) {
	end := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)
	p := demoportal.New(worldgen.New(worldgen.Config{Events: 200_000, Rooms: 50, People: 200, End: end}), demoportal.Options{Now: fixed(end)})
	for name, path := range map[string]string{
		"newest":    "security/audit/events/filter?count=100",
		"deep":      "security/audit/events/filter?count=100&startIndex=150000",
		"by window": "security/audit/events/filter?count=100&from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z",
		"one":       "security/audit/events/filter?count=1&startIndex=2000&to=2026-07-01T00:00:00Z",
		"log":       "files/folder/801/log?count=100",
		"share":     "files/rooms/801/share?count=100",
		"rooms":     "files/rooms?count=100&searchArea=Any",
		"people":    "people/filter?count=100",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/2.0/"+path, nil)
				r.Header.Set("Authorization", "Bearer "+demoportal.DefaultKey)
				rec := httptest.NewRecorder()
				p.ServeHTTP(rec, r)
				if rec.Code != http.StatusOK {
					b.Fatal(rec.Code)
				}
				b.SetBytes(int64(rec.Body.Len()))
			}
		})
	}
}
