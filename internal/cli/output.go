package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// replaceFile gives a file new content: all of it, or, if that fails, what it
// was before. What is no regular file, such as a pipe, is written to as it is.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil {
		path = target // the link stays, and its target is replaced
	}
	mode := os.FileMode(0o666) // less what the user's mask takes away
	if info, statErr := os.Stat(path); statErr == nil {
		mode = info.Mode().Perm()
		if !info.Mode().IsRegular() {
			return writeInto(path, os.O_WRONLY, mode, write)
		}
	}
	partial := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.partial", filepath.Base(path), os.Getpid()))
	// What a run with the same process id left goes first: a link that somebody
	// else laid there must not be followed.
	if err := remove(partial); err != nil {
		return err
	}
	if err := writeInto(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode, write); err != nil {
		return errors.Join(err, remove(partial))
	}
	if err := os.Rename(partial, path); err != nil {
		return errors.Join(err, remove(partial))
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func writeInto(path string, flag int, mode os.FileMode, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	if err = write(out); err == nil {
		err = out.Flush()
	}
	if info, statErr := file.Stat(); err == nil && statErr == nil && info.Mode().IsRegular() {
		err = file.Sync() // else a crash could leave the new name with nothing in it
	}
	return errors.Join(err, file.Close())
}
