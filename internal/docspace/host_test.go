package docspace

import (
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in        string
		allowHTTP bool
		want      string // empty: refused
	}{
		{in: "acme.onlyoffice.com", want: "https://acme.onlyoffice.com"},
		{in: " HTTPS://Acme.OnlyOffice.com/ \n", want: "https://acme.onlyoffice.com"},
		{in: "https://acme.onlyoffice.com:443/rooms/shared?x=1#y", want: "https://acme.onlyoffice.com"},
		{in: "acme.onlyoffice.com.:8443", want: "https://acme.onlyoffice.com:8443"},
		{in: "acme.example:0443", want: "https://acme.example"},
		{in: "docspace", want: "https://docspace"},
		{in: "localhost:8092", want: "https://localhost:8092"},
		{in: "http://localhost:8092/", want: "http://localhost:8092"},
		{in: "http://127.0.0.1:80", want: "http://127.0.0.1"},
		{in: "http://[::1]:8092", want: "http://[::1]:8092"},
		{in: "[2001:DB8::1]", want: "https://[2001:db8::1]"},
		{in: "http://docspace.lan", allowHTTP: true, want: "http://docspace.lan"},
		{in: "http://docspace.lan"},
		{in: "http://localhost.example.org"},
		{in: "http://127.0.0.1.example.org"},
		{in: "ftp://docspace.lan"},
		{in: "https://user:hunter2@docspace.lan"},
		{in: "user:hunter2@docspace.lan"},
		{in: "https://us er:hunter2@docspace.lan"},
		{in: "docspace.lan:99999"},
		{in: "docspace.lan:0"},
		{in: "https://"},
		{in: "https:///rooms"},
		{in: "::1"},
		{in: "  "},
	} {
		got, err := ParseHost(test.in, test.allowHTTP)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", test.in, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseHost(%q) shows the password: %v", test.in, err)
		}
		if again, err := ParseHost(got, test.allowHTTP); got != "" && (again != got || err != nil) {
			t.Errorf("ParseHost(%q) = %q, %v; want it unchanged", got, again, err)
		}
	}
}
