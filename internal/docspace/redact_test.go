package docspace

import "testing"

// Pieces of addresses, plain ones and such as hide something.
var addressPieces = []string{
	"a", "s", "S", "/", "/s/", "?", "#", ";", ":", "@", `\`, "%2f", "%73", " ", "\u0085", "http://",
}

// Nothing passes by the short way that the long one would cut.
func TestPlainAddressesAreCutLikeOddOnes(t *testing.T) {
	t.Parallel()
	check := func(s string) {
		if got, want := redactAddress(s), redactOddAddress(s); got != want {
			t.Fatalf("%q becomes %q, want %q", s, got, want)
		}
	}
	for _, start := range []string{"https://", "http://h/"} {
		check(start)
		for _, a := range addressPieces {
			check(start + a)
			for _, b := range addressPieces {
				check(start + a + b)
				for _, c := range addressPieces {
					check(start + a + b + c)
				}
			}
		}
	}
}

func TestUsualAddressesArePlain(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"https://portal.example.org/rooms/shared/812/filter?folder=812",
		"https://portal.example.org/doceditor?fileId=7290&action=edit#x",
		"http://portal.example.org/",
	} {
		if _, ok := cutPlainAddress(s); !ok {
			t.Errorf("%s goes the long way", s)
		}
	}
}

func FuzzRedactAddress(f *testing.F) {
	for _, s := range addressPieces {
		f.Add("https://portal.example.org/rooms" + s + "/Pq9sTz")
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := redactAddress(s), redactOddAddress(s); got != want {
			t.Fatalf("%q becomes %q, want %q", s, got, want)
		}
	})
}
