package docspace

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

const testKey = "sk-4c1f0a7be2d94d0c8e55a1b7f39d2c6e8b0a1d2c3f4e5a6b7c8d9e0f1a2b3c4d"

// transportFunc answers in memory, so that time can be simulated around it.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func inMemory(h http.HandlerFunc) http.RoundTripper {
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h(w, r)
		resp := w.Result()
		resp.Request = r
		return resp, nil
	})
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	if cfg.Host == "" {
		cfg.Host = "https://portal.example.org"
	}
	if cfg.Key == "" {
		cfg.Key = testKey
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve runs a portal on the network.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return newClient(t, Config{Host: s.URL})
}

func example(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func serveExample(t *testing.T, name string) *Client {
	t.Helper()
	body := example(t, name)
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
