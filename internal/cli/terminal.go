package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// output is stdout. It remembers the first failure to write to it, such as a
// full disk, for commands that print line by line.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// fileOf is the file that w writes to, nil if it is none.
func fileOf(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	f, _ := w.(*os.File) // nil if it is none
	return f
}

// isTerminal reports whether w is somebody's screen.
func isTerminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the number of columns of the terminal, 0 if w is none.
func terminalWidth(w io.Writer) int {
	f := fileOf(w)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
