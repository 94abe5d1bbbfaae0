package cli

import (
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roompulse/internal/audit"
	mailer "roompulse/internal/mail"
)

// TestPreviewIsWholeOrNothing: mails that were written before one that cannot be are taken away, so
// that the next try finds the folder as this one did.
func TestPreviewIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "002.eml"), 0o700); err != nil { // cannot be written to
		t.Fatal(err)
	}
	mails := []audit.Mail{{To: "ann@acme.example", Text: "a"}, {To: "bo@acme.example", Text: "b"}}
	err := writePreview(dir, mails, mailer.Config{From: mail.Address{Address: "docspace@acme.example"}})
	if err == nil || !strings.Contains(err.Error(), "002.eml") || !strings.Contains(err.Error(), dir+" has none of them") {
		t.Errorf("it ends with %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if err := checkPreview(dir); err != nil {
		t.Errorf("the next try: %v", err)
	}
}
