package audit

import "errors"

// What a portal's refusals mean to those who ask it. Adapters wrap them into
// errors that say what was asked and what to do.
var (
	// ErrRefused: the portal does not serve this key at all, for lack of a
	// valid key, a right, a paid plan or the audit option.
	ErrRefused = errors.New("the portal refused")
	// ErrNotReadable: this one room, file or folder is closed to the key.
	ErrNotReadable = errors.New("not readable")
	// ErrGone: this one room, file or folder does not exist any more.
	ErrGone = errors.New("gone")
	// ErrRestored: the portal lists its past under other ids than before, or does
	// not list all of it any more. Nothing it says of the past can be taken.
	ErrRestored = errors.New("the portal lists its past otherwise than before; if it was restored from a backup or moved, " +
		"run `roompulse sync --after-restore T`, T being when it was back")
	// ErrUnavailable: the portal did not answer properly, retries included; later it may.
	ErrUnavailable = errors.New("the portal did not answer")
)
