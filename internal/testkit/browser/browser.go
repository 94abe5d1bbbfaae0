// Package browser gives tests a headless Chromium.
package browser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is for a browser that hangs: a test fails with it instead of the whole run.
const patience = 2 * time.Minute

// places are names on PATH and paths where Chromium and its kin are.
var places = []string{
	"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// New starts a browser that is the test's own and ends with it, and returns the
// context of its tab for chromedp. A machine without a browser fails the test:
// what is skipped is not tested.
func New(tb testing.TB) context.Context {
	tb.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(find(tb)),
		chromedp.Flag("disable-dev-shm-usage", true)) // containers have little of it
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root with one
	}
	ctx, cancelTime := context.WithTimeout(tb.Context(), patience)
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	tb.Cleanup(func() {
		cancelTab()
		cancelBrowser()
		cancelTime()
	})
	if err := chromedp.Run(ctx); err != nil {
		tb.Fatalf("start a browser: %v", err)
	}
	return ctx
}

func find(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("ROOMPULSE_TEST_CHROMIUM"); path != "" {
		return path
	}
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	tb.Fatal("this test needs Chromium or Chrome, which is not on the PATH: run `make chromium`, or name it in ROOMPULSE_TEST_CHROMIUM")
	return ""
}
