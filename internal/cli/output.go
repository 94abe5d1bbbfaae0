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
	old, statErr := os.Stat(path)
	if statErr == nil && !old.Mode().IsRegular() {
		return writeInto(path, os.O_WRONLY, nil, write)
	}
	if path, err = followLinks(path); err != nil {
		return err
	}
	partial := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.partial", filepath.Base(path), os.Getpid()))
	// What a run with the same process id left goes first: a link that somebody
	// else laid there must not be followed.
	if err := remove(partial); err != nil {
		return err
	}
	if err := writeInto(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, old, write); err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok && failed.Path == partial { // a name that users do not know
			err = failed.Err
		}
		return errors.Join(err, discard(partial, old))
	}
	if err := os.Rename(partial, path); err != nil {
		return errors.Join(err, discard(partial, old))
	}
	return nil
}

// errAsBefore and errNothingLeft say what a file is after a failure.
var (
	errAsBefore    = errors.New("the file is as it was before")
	errNothingLeft = errors.New("nothing was left behind")
)

// discard removes what was written of a file, if it was begun, and says what there is now; old is nil if there was no file.
func discard(partial string, old os.FileInfo) error {
	switch err := os.Remove(partial); {
	case errors.Is(err, os.ErrNotExist): // nobody doubts it
		return nil
	case err != nil:
		return err
	case old != nil:
		return errAsBefore
	}
	return errNothingLeft
}

// followLinks returns what a path leads to, be it there or yet to be made: a
// link stays, and its target is replaced.
func followLinks(path string) (string, error) {
	for {
		target, err := filepath.EvalSymlinks(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return target, err
		}
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link: opening it tells what is wrong, if anything is
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// writeInto writes a file, which gets the permissions of old if there is one. Those of a new one are left to
// the user's mask, as by pg_dump or a shell's >: that a report holds personal data does not tell whether it
// is to be seen by nobody else or lies in a folder of a web server.
func writeInto(path string, flag int, old os.FileInfo, write func(io.Writer) error) error {
	mode := os.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm()
	}
	file, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return err
	}
	if old != nil {
		err = file.Chmod(mode) // the user's mask took away some of it
	}
	out := bufio.NewWriter(file)
	if err == nil {
		err = write(out)
	}
	if err == nil {
		err = out.Flush()
	}
	if info, statErr := file.Stat(); err == nil && statErr == nil && info.Mode().IsRegular() {
		err = file.Sync() // else a crash could leave the new name with nothing in it
	}
	return errors.Join(err, file.Close())
}
